#include "lists/entries.h"

#include "console/cli.h"
#include "console/rule_check.h"
#include "core/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FAULTS_SHOWN = 100, KEY_MAX_BYTES = 1024 };

void entries_init(struct entries *entries, const char *name, const struct kind *kind, const char *note,
                  const char *client)
{
    *entries = (struct entries){ .name = name, .kind = kind, .note = note, .client = client };
    entries->tables = 1U << kind->table;
}

void entries_fini(struct entries *entries)
{
    for (size_t i = 0; i < entries->n; i++) {
        free(entries->all[i]->was);
        free(entries->all[i]);
    }
    free(entries->all);
    key_map_fini(&entries->by_key, NULL);
    *entries = (struct entries){ 0 };
}

struct entry *entries_find(const struct entries *entries, enum rule_table table, const char *key)
{
    return key_map_get(&entries->by_key, (char)table, str_of(key));
}

/* Faults. */

void entries_fault(struct entries *entries, size_t line, const char *text)
{
    const char *name = entries->name;
    if (++entries->n_faults > FAULTS_SHOWN || entries->quiet)
        return;
    if (line == 0)
        (void)cli_fail(0, "%s", text);
    else if (name)
        (void)cli_fail(0, "%s:%zu: %s", name, line, text);
    else
        (void)cli_fail(0, "line %zu: %s", line, text);
}

static void on_fault(void *context, size_t line, const char *text)
{
    entries_fault(context, line, text);
}

static void on_pass_over(void *context, size_t line, struct str what, const char *why)
{
    struct entries *entries = context;
    entries->n_passed_over++;
    (void)cli_fail(0, "%s:%zu: \"%.*s\" is not taken because %s", entries->name ? entries->name : "line", line,
                   STR_ARGS(what), why);
}

/* Keys. */

char *entries_key(const char *key, const char *client)
{
    size_t key_n = strlen(key), client_n = strlen(client);
    char *text = malloc(key_n + client_n + 2);
    if (!text)
        return NULL;
    memcpy(text, key, key_n);
    text[key_n] = '\n'; /* which none of them holds */
    memcpy(text + key_n + 1, client, client_n + 1);
    return text;
}

/* Entries. */

static const char *put_text(char **to, struct str text)
{
    char *begin = *to;
    memcpy(begin, text.p, text.n);
    begin[text.n] = '\0';
    *to += text.n + 1;
    return begin;
}

static struct entry *make_entry(const struct list_entry *entry, const struct rule_key *key, const char *client)
{
    size_t bytes = strlen(key->text) + strlen(client) + entry->value.n + entry->note.n + 4;
    struct entry *made = malloc(sizeof *made + bytes);
    if (!made)
        return NULL;
    char *to = made->texts;
    *made = (struct entry){ .line = entry->line,
                            .n_lines = 1,
                            .kind = entry->kind,
                            .expires = entry->expires,
                            .created = entry->created,
                            .fate = FATE_ADDED };
    made->key = put_text(&to, str_of(key->text));
    made->client = put_text(&to, str_of(client));
    made->value = entry->value.p ? put_text(&to, entry->value) : entry->kind->value;
    made->note = entry->note.p ? put_text(&to, entry->note) : NULL;
    if (!made->value && entry->kind->table == RULE_LOCAL_DOMAIN)
        made->value = "local";
    return made;
}

bool is_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool entries_are_same(const struct entry *a, const struct entry *b)
{
    if (!a || !b)
        return a == b;
    return a->n_lines == b->n_lines && a->expires == b->expires && is_same_text(a->value, b->value) &&
           is_same_text(a->note, b->note);
}

bool entry_states_terms(const struct entry *entry)
{
    return entry->note || entry->expires != RULE_NEVER_EXPIRES;
}

static int64_t later_expiry(int64_t a, int64_t b)
{
    if (a == RULE_NEVER_EXPIRES || b == RULE_NEVER_EXPIRES)
        return RULE_NEVER_EXPIRES;
    return a > b ? a : b;
}

/* Two that mean the same become one, with the later note, which lives as long as either would: in a database rows that
 * mean the same all count. Returns the one that is not kept. */
static struct entry *repeat(struct entries *entries, struct entry *before, struct entry *entry, void **place)
{
    char text[256];
    entries->n_repeated++;
    if (!is_same_text(entry->value, before->value)) {
        (void)snprintf(text, sizeof text, "\"%.100s\" contradicts line %zu", entry->key, before->line);
        entries_fault(entries, entry->line, text);
        return entry;
    }
    int64_t expires = later_expiry(before->expires, entry->expires);
    before->expires = expires;
    entry->n_lines = ++before->n_lines;
    if (before->note && !entry->note)
        return entry;
    entry->expires = expires;
    entry->at = before->at;
    entries->all[entry->at] = entry;
    *place = entry;
    return before;
}

static int keep(struct entries *entries, struct entry *entry)
{
    char *key = entries_key(entry->key, entry->client);
    void **place = key ? key_map_put(&entries->by_key, (char)entry->kind->table, str_of(key)) : NULL;
    free(key);
    if (!place || !ARRAY_RESERVE(entries->all, entries->size, entries->n)) {
        free(entry);
        return -ENOMEM;
    }
    if (*place) {
        free(repeat(entries, *place, entry, place));
        return 0;
    }
    entry->at = entries->n;
    entries->all[entries->n++] = entry;
    entries->tables |= 1U << entry->kind->table;
    *place = entry;
    return 0;
}

/* The client of an accept entry, canonical. */
static int read_client(const struct entries *entries, const struct list_entry *entry, struct rule_key *client,
                       const char **text, struct error *error)
{
    *text = "";
    if ((entry->kind->options & KIND_HAS_CLIENT) == 0)
        return 0;
    if (!entry->client.p && entries->client)
        *text = entries->client;
    if (entry->client.n == 0)
        return 0;
    int r = rule_key_parse(client, RULE_ACCESS_BLOCK, entry->client, error);
    *text = client->text;
    return r < 0 ? error_prefix(error, r, "from") : 0;
}

/* Understands an entry, and keeps it. A fault is -EINVAL with its text in *error. */
static int understand(struct entries *entries, const struct list_entry *entry, struct error *error)
{
    struct rule_key key, client = { .text = NULL, .heap = NULL };
    struct entry *made = NULL;
    const char *client_text;
    int r = rule_key_parse(&key, entry->kind->table, entry->key, error);
    if (r == 0)
        r = read_client(entries, entry, &client, &client_text, error);
    if (r == 0)
        r = rule_check_note(entry->note, error);
    if (r == 0 && !(made = make_entry(entry, &key, client_text)))
        r = -ENOMEM;
    if (r == 0)
        r = rule_check(entry->kind, &key, made->value, error);
    if (r == 0)
        r = keep(entries, made);
    else
        free(made);
    rule_key_fini(&client);
    rule_key_fini(&key);
    return r;
}

static int on_entry(void *context, const struct list_entry *entry)
{
    struct entries *entries = context;
    struct list_entry own = *entry;
    struct error error;
    int r;
    if ((own.kind->options & KIND_HAS_CLIENT) != 0 && !own.client.p && !entries->client) {
        entries->n_clientless++;
        return 0;
    }
    if (entries->note)
        own.note = str_of(entries->note);
    if (own.key.n > KEY_MAX_BYTES)
        r = error_set(&error, -EINVAL, "\"%.32s...\" is longer than any address", own.key.p);
    else
        r = understand(entries, &own, &error);
    if (r == -EINVAL) {
        entries_fault(entries, entry->line, error.text);
        return 0;
    }
    return r;
}

struct list_sink entries_sink(struct entries *entries)
{
    return (struct list_sink){ entries, on_entry, on_fault, on_pass_over };
}
