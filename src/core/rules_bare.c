/*
 * Which killed patterns cover a local domain: these cover every bare sender, to which Postfix appends one of the site's
 * own domains. Found anew where patterns or local domains change, since there are few; expiry is looked at when it is
 * asked.
 */
#include "core/name_key.h"
#include "core/rules.h"
#include "core/rules_index.h"

#include <stdlib.h>

static void fini_kills(struct bare_kills *kills)
{
    for (size_t i = 0; i < kills->n; i++) {
        free(kills->kills[i].rule);
        free(kills->kills[i].domain);
    }
    free(kills->kills);
    free(kills);
}

void rules_release_bare_kills(struct bare_kills *kills)
{
    if (kills && --kills->users == 0)
        fini_kills(kills);
}

struct search {
    const struct rules *rules;
    struct bare_kills *kills;
    const struct trie_query *covered; /* the domain that is looked at, backwards */
    bool failed;
};

static bool grow(struct bare_kills *kills)
{
    if (kills->n < kills->room)
        return true;
    size_t room = kills->room ? kills->room * 2 : 8;
    struct bare_kill *wider = realloc(kills->kills, room * sizeof *wider);
    if (!wider)
        return false;
    kills->kills = wider;
    kills->room = room;
    return true;
}

/* Notes that the row covers the domain, which is written backwards; `in_front` stands for any host. */
static bool note(struct search *search, const struct trie_row *row, struct str domain, const char *in_front)
{
    struct bare_kills *kills = search->kills;
    size_t front_n = strlen(in_front);
    struct trie_row *copy = grow(kills) ? malloc(row->size) : NULL;
    char *text = copy ? malloc(front_n + domain.n + 1) : NULL;
    if (!text) {
        free(copy);
        search->failed = true;
        return true;
    }
    memcpy(copy, row, row->size);
    memcpy(text, in_front, front_n);
    for (size_t i = 0; i < domain.n; i++)
        text[front_n + i] = domain.p[domain.n - 1 - i];
    text[front_n + domain.n] = '\0';
    kills->kills[kills->n++] = (struct bare_kill){ (struct rule *)(void *)copy, text };
    return false;
}

static bool note_covering(const struct trie_row *row, void *context)
{
    struct search *search = context;
    const struct trie_query *covered = search->covered;
    return note(search, row, str_make((const char *)covered->text, covered->host_n), "");
}

/* A pattern for hosts below a local domain. A host that no row names stands for those that a pattern covers. */
static bool note_below(const struct trie_row *row, void *context)
{
    struct search *search = context;
    struct str key = str_make((const char *)row->key, row->key_n - 1U);
    if (row->key[row->key_n - 1] != MARK_WHOLE)
        return note(search, row, key, "?");
    /* A host; an address is found by its local part. */
    return str_find(key, '@') + 1 == key.n && note(search, row, str_first(key, key.n - 1), "");
}

/* The patterns that cover a row of local_domain; "?.example" stands for any host below example. */
static bool find_covering(const struct trie_row *row, void *context)
{
    struct search *search = context;
    struct name_query domain;
    struct str key = str_make((const char *)row->key, row->key_n - 1U);
    bool below = row->key[row->key_n - 1] == MARK_BELOW;
    if (rule_value(rule_of(row)) != RULE_DOMAIN_LOCAL)
        return false;
    char any_host[TRIE_KEY_MAX_BYTES + 1];
    struct str name = str_first(key, key.n - 1); /* without @ or dot */
    if (below) {
        memcpy(any_host, key.p, key.n);
        any_host[key.n] = '?';
        name = str_make(any_host, key.n + 1);
    }
    name_query_init_backwards(&domain, name);
    search->covered = &domain.query;
    (void)trie_match(&search->rules->trie[RULE_KILL_ENTRY], &domain.query, note_covering, search);
    if (below && !search->failed)
        (void)trie_each(&search->rules->trie[RULE_KILL_ENTRY], row->key, key.n, note_below, search);
    return search->failed;
}

struct bare_kills *rules_find_bare_kills(const struct rules *rules)
{
    struct search search = { .rules = rules, .kills = calloc(1, sizeof *search.kills) };
    if (!search.kills)
        return NULL;
    search.kills->users = 1;
    (void)trie_each(&rules->trie[RULE_LOCAL_DOMAIN], NULL, 0, find_covering, &search);
    if (search.failed) {
        fini_kills(search.kills);
        return NULL;
    }
    return search.kills;
}
