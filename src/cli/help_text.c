/*
 * The words of the help. A new command with options has an entry here.
 */
#include "cli/help.h"

#include <string.h>

static const struct option_help common_help[] = {
    { "config", "FILE", "the daemon's configuration file, for paths; also -c" },
    { "database", "FILE", "the database of rules" },
    { "control", "ENDPOINT", "where the daemon is asked, as unix:/path" },
    { "by", "NAME", "who makes the change, for the history" },
    { "json", NULL, "JSON, from what lists" },
    { "help", NULL, "this, or help on the command; also -h" },
    { "version", NULL, "the version; also -V" },
    { NULL, NULL, NULL },
};

static const struct option_help set_help[] = {
    { "yes", NULL, "relay_for may trust what a sender says of itself" },
    { NULL, NULL, NULL },
};

static const struct option_help add_help[] = {
    { "for", "SPAN", "the rule expires after that time: 90s, 15m, 2h, 7d or 4w" },
    { "until", "TIME", "the rule expires then: 2027-12-31T18:00, or Unix seconds" },
    { "note", "TEXT", "a note, for people" },
    { "client", "BLOCK", "accept: from which clients the sender may relay" },
    { "any-client", NULL, "accept: from all, and so whoever forges the sender may" },
    { "relay", NULL, "domain: we are backup MX for it" },
    { "account", "NAME", "user: the address is an alias of this account" },
    { "remote-mail", "yes|no", "list: whether clients without authorization may write to it" },
    { NULL, NULL, NULL },
};

static const struct option_help remove_help[] = {
    { "client", "BLOCK", "accept: the row for these clients" },
    { "any-client", NULL, "accept: the row for all clients" },
    { NULL, NULL, NULL },
};

static const struct option_help status_help[] = {
    { "watch", NULL, "refresh every two seconds, until interrupted" },
    { NULL, NULL, NULL },
};

static const struct option_help list_help[] = {
    { "hits", NULL, "with how often each rule has mattered, and when last" },
    { "unused", "SPAN", "only rules that have not for that long: 90d" },
    { "expired", NULL, "only rules that have expired" },
    { NULL, NULL, NULL },
};

static const struct option_help lint_help[] = {
    { "severity", "error|warning|note", "only findings of this severity and worse" },
    { "ignore", "CODE,...", "not those with these codes" },
    { NULL, NULL, NULL },
};

static const struct option_help import_help[] = {
    { "from", "plain|json|cidr|mynetworks|imail|icewarp", "the format, if not as it is recognised" },
    { "replace", NULL, "swap all rules of the kind for those of the list" },
    { "dry-run", NULL, "show the difference, and change nothing" },
    { "note", "TEXT", "a note for all rules; with --replace only rows with it are swapped" },
    { "client", "BLOCK", "accept: from which clients the senders may relay" },
    { "any-client", NULL, "accept: from all, and so whoever forges the sender may" },
    { NULL, NULL, NULL },
};

static const struct option_help export_help[] = {
    { "format", "plain|json|cidr", "the format, plain unless given" },
    { NULL, NULL, NULL },
};

static const struct option_help replay_help[] = {
    { "against", "*.db", "the database of rules to compare with" },
    { "with", "COMMAND", "add, remove or set, as if it had been run; may be given several times" },
    { NULL, NULL, NULL },
};

static const struct option_help history_help[] = {
    { "since", "SPAN|TIME", "only changes since then: 7d, or 2027-12-31T18:00" },
    { "all", NULL, "a line for each change, also of many that are alike" },
    { NULL, NULL, NULL },
};

static const struct option_help undo_help[] = {
    { "dry-run", NULL, "show what would be put back, and change nothing" },
    { "yes", NULL, "what is put back may open the relay to forged senders" },
    { NULL, NULL, NULL },
};

static const struct option_help prune_help[] = {
    { "expired", NULL, "what has expired; it must be given" },
    { "older-than", "SPAN", "only what has for that long: 30d" },
    { "dry-run", NULL, "only print it" },
    { NULL, NULL, NULL },
};

static const struct option_help explain_help[] = {
    { "client", "ADDRESS", "the client of a pretended session" },
    { "name", "NAME", "its verified host name" },
    { "reverse-name", "NAME", "its host name as the reverse look-up has it" },
    { "from", "SENDER", "the sender of the message" },
    { "to", "RECIPIENT", "a recipient; up to 100 of them" },
    { "sasl", "USER", "who has logged in by SMTP AUTH" },
    { "port", "NUMBER", "the port of the server" },
    { "login", "USER", "pretend that this user has just read mail from there" },
    { "live", NULL, "the running daemon decides, by the logins on record" },
    { NULL, NULL, NULL },
};

static const struct command_help helps[] = {
    { "set",
      "gatepost get lists the settings; what they mean is told in gatepost-rules(7). Those that open the relay to "
      "forged "
      "senders want --yes.",
      set_help },
    { "add",
      "KIND is deny, allow, grant, refuse, kill, accept, domain, user or list. A KEY is a block (192.0.2.0/24, "
      "192.0.2.1-50, 2001:db8::/32), or with grant also a host name, or with kill and "
      "accept a pattern of senders (user@host, @host, @.host, @*suffix), or an address or a domain. It is stored in a "
      "canonical spelling. A key that is there and says the same gets the new expiry and note.",
      add_help },
    { "remove", NULL, remove_help },
    { "list", NULL, list_help },
    { "lint",
      "Each finding has a code that stays, the rule, why it is dangerous or useless, and a command that mends it. The "
      "exit status is 1 where there is an error or a warning; without a terminal nothing is printed where there is "
      "nothing to tell.",
      lint_help },
    { "import",
      "The format is found out and told: one rule a line, JSON, Postfix cidr tables and mynetworks, IMail's kill.lst, "
      "accept.txt and addresses with masks, IceWarp's trusted addresses. Every fault is told with its line, and then "
      "nothing is changed. - is standard input.",
      import_help },
    { "export", NULL, export_help },
    { "edit",
      "The editor is that of VISUAL or EDITOR. The rules are checked as in import when you leave it; a fault is shown, "
      "and the editor offered again.",
      NULL },
    { "replay",
      "With --against or --with, shows which requests would be answered otherwise, and which rule is the cause. - is "
      "standard input.",
      replay_help },
    { "explain",
      "A session goes through CONNECT, MAIL, RCPT for each recipient, and DATA. After each answer stands what Postfix "
      "does with it; at the end, which command would change it, and a sentence to tell the user. NAME=VALUE are "
      "attributes of Postfix's policy protocol.",
      explain_help },
    { "history",
      "Each change of a rule or setting, however made, the newest last. KIND may be setting, too. --by NAME shows what "
      "that one has changed.",
      history_help },
    { "undo",
      "SEQ is the number of a change in the history, or a range such as 17-1016. All of them are undone, or none. A "
      "change is refused where the row has been changed again.",
      undo_help },
    { "prune", NULL, prune_help },
    { "backup", "FILE becomes a complete database; an older backup is replaced only by a whole one.", NULL },
    { "login",
      "The running daemon keeps them in its store; each ends by itself after pop_before_smtp minutes. Without one, "
      "gatepost explain --login USER pretends it.",
      NULL },
    { "status", NULL, status_help },
    { "help", "Without a command, lists all of them.", NULL },
    { "complete",
      "The last WORD may be unfinished or empty. Prints one word a line; the line /FILES/ asks the shell for the names "
      "of files.",
      NULL },
};

const struct command_help *help_of(const char *command)
{
    for (size_t i = 0; i < sizeof helps / sizeof *helps; i++)
        if (strcmp(helps[i].command, command) == 0)
            return &helps[i];
    return NULL;
}

static const struct option_help *find(const struct option_help *table, const char *option)
{
    for (; table && table->option; table++)
        if (strcmp(table->option, option) == 0)
            return table;
    return NULL;
}

const struct option_help *help_of_option(const char *command, const char *option)
{
    const struct command_help *help = help_of(command);
    const struct option_help *own = help ? find(help->options, option) : NULL;
    return own ? own : find(common_help, option);
}
