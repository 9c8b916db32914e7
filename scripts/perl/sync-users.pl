# Keeps local_user in step with a list of accounts: passwd, Dovecot's, or an LDIF file. Only rows with its note are its
# own. Needs perl-base alone. See gatepost-sync-users --help, and gatepost-sync-users(8).
use strict;
use warnings;

use Getopt::Long qw(GetOptions);

BEGIN {
    my ($here) = $0 =~ m{\A(.*)/};
    require "$here/$_.pl" for qw(run files gatepost ldif sync);
}

use constant DOVEADM_SECONDS => 120;

my $help = <<'END';
usage: gatepost-sync-users --passwd [FILE] | --dovecot [COMMAND] | --ldif FILE
                           [--domain DOMAIN]... [--uid-min N] [--uid-max N]
                           [--database FILE | --gatepost COMMAND]
                           [--note TEXT] [--allow-empty] [--dry-run]
Keeps local_user in step with a list of accounts. Rows of an administrator stay
as they are.

  --passwd [FILE]      accounts of the system, or of a file like /etc/passwd
  --dovecot [COMMAND]  those that doveadm user '*' lists; doveadm with options
                       where it needs any, split at blanks [doveadm]
  --ldif FILE          mail, and mailAlternateAddress or proxyAddresses as aliases
                       of it; - is standard input
  --domain DOMAIN      append it to names without a domain; of several the first
                       is the account's, the others make aliases
  --uid-min, --uid-max accounts of passwd that count [those of /etc/login.defs]
  --database FILE      the database of rules [that of gatepost]
  --gatepost COMMAND   gatepost, with options where it needs any; split at blanks
                       [gatepost]
  --note TEXT          what marks the rows [from passwd (gatepost-sync-users)]
  --allow-empty        delete the rows also where there are no accounts at all
  --dry-run            show what would change: + added, - removed, ~ changed
  --help

Exit status: 0 done, 1 no account was found and the rows stay, 2 usage, 65 wrong
data, 69 the source or gatepost cannot be asked.
END

# Each source gives pairs of an address and its account.
sub from_passwd {
    my ($file, $least, $most) = @_;
    my $text;
    if ($file ne '') {
        $text = text_of($file);
    } else {
        (my $status, $text) = run_command(COMMAND_SECONDS, '', qw(getent passwd));
        give_up(EXIT_UNAVAILABLE, "getent: exit status $status") if $status != 0;
    }
    return map { [$_, $_] } login_users([split /\n/, $text], $least, $most);
}

sub from_dovecot {
    my ($command) = @_;
    my @command = split ' ', $command eq '' ? 'doveadm' : $command;
    my ($status, $out, $err) = run_command(DOVEADM_SECONDS, '', @command, 'user', '*');
    if ($status != 0) {
        give_up(EXIT_UNAVAILABLE, "$command[0]: " . ($err =~ /([^\n]+)/ ? $1 : "exit status $status"));
    }
    return map { [$_, $_] } grep { $_ ne '' } split /\n/, $out;
}

# The pairs with each domain that was asked for, the first of each address.
sub with_domains {
    my ($domains, @pairs) = @_;
    my (%seen, @found);
    for my $pair (@pairs) {
        my ($address, $account) = @$pair;
        my ($first, @others) = $address =~ /\@/ || !@$domains ? ($address) : map { "$address\@$_" } @$domains;
        my $owner = $account =~ /\@/ || !@$domains ? $account : "$account\@$domains->[0]";
        push @found, map { [$_, $owner] } grep { !$seen{lc $_}++ } $first, @others;
    }
    return @found;
}

my (%source, @domains, $least, $most, $database, $command, $note, $want_help);
my %options = (by => 'gatepost-sync-users', wants_some => 1);
Getopt::Long::Configure(qw(no_ignore_case));
my $understood = GetOptions('passwd:s' => \$source{passwd}, 'dovecot:s' => \$source{Dovecot}, 'ldif=s' => \$source{LDIF},
    'domain=s' => \@domains, 'uid-min=i' => \$least, 'uid-max=i' => \$most, 'database=s' => \$database,
    'gatepost=s' => \$command, 'note=s' => \$note, 'allow-empty' => \$options{allow_empty},
    'dry-run' => \$options{dry_run}, 'help|h' => \$want_help);
if ($understood && $want_help) {
    print $help;
    finish(0);
}
my ($from, @more) = grep { defined $source{$_} } sort keys %source;
$note //= 'from ' . ($from // '') . ' (gatepost-sync-users)';
if (!$understood || @ARGV || !defined $from || @more || defined $database && defined $command
    || ($command // 'x') !~ /\S/ || $note !~ /\A\S(?:.*\S)?\z/) {
    print STDERR $help;
    exit EXIT_USAGE;
}

my @pairs = $from eq 'passwd' ? from_passwd($source{passwd}, $least, $most)
    : $from eq 'Dovecot' ? from_dovecot($source{Dovecot}) : from_ldif(text_of($source{LDIF}), $source{LDIF});
my %account = map { ($_->[0] => $_->[1]) } with_domains(\@domains, @pairs);
my @lines = map { user_line($_, $account{$_}) } sound_addresses($from, sort keys %account);
finish(sync_kind(gatepost_command($command, $database), 'user', $note, \@lines, \%options));
