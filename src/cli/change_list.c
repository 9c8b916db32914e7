#include "cli/change_list.h"

#include "cli/change_words.h"
#include "console/cli.h"
#include "console/paint.h"
#include "console/times.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void put_head(const struct change_list *list, FILE *out, int64_t at, const char *seqs, const char *who)
{
    enum { WHO_COLUMNS = 10 };
    char when[TIMES_TEXT_SIZE];
    if (list->plain)
        return;
    times_format(at, when);
    fprintf(out, "%s  %-13s  ", when, seqs);
    cli_put(out, who);
    size_t n = strlen(who);
    fprintf(out, "%*s  ", n < WHO_COLUMNS ? (int)(WHO_COLUMNS - n) : 0, "");
}

static void put_line(const struct change_list *list, FILE *out, const struct logged_change *change)
{
    char seq[24];
    (void)snprintf(seq, sizeof seq, "%" PRId64, change->seq);
    put_head(list, out, change->at, seq, change_who(change));
    change_words_write(out, change);
    fputc('\n', out);
}

/* Writes the run that has been read, and begins anew. */
static void end_run(struct change_list *list)
{
    char seqs[48];
    if (list->n <= CHANGE_LIST_MANY) {
        (void)fwrite(list->lines ? list->lines : "", 1, list->lines_n, list->out);
    } else {
        (void)snprintf(seqs, sizeof seqs, "%" PRId64 "-%" PRId64, list->first_seq, list->last_seq);
        put_head(list, list->out, list->at, seqs, list->who);
        fprintf(list->out, "%s %" PRId64 " %s", list->verb, list->n, list->kind);
        if (!list->plain)
            fprintf(list->out, "  %s(--all shows each)%s", paint(list->out, PAINT_FAINT), paint(list->out, PAINT_OFF));
        fputc('\n', list->out);
    }
    free(list->who);
    free(list->lines);
    list->who = list->lines = NULL;
    list->n = 0;
    list->lines_n = 0;
}

static bool continues_run(const struct change_list *list, const struct logged_change *change)
{
    bool same_kind = list->n > 0 && change_verb(change) == list->verb && change_kind(change) == list->kind;
    bool at_once = list->plain || (change->seq == list->last_seq + 1 && change->at == list->at);
    return same_kind && at_once && strcmp(change_who(change), list->who) == 0;
}

static int begin_run(struct change_list *list, const struct logged_change *change)
{
    list->first_seq = change->seq;
    list->at = change->at;
    list->verb = change_verb(change);
    list->kind = change_kind(change);
    list->who = strdup(change_who(change));
    return list->who ? 0 : -ENOMEM;
}

/* Adds the line of a change to those of the run. */
static int keep_line(struct change_list *list, const struct logged_change *change)
{
    char *line = NULL;
    size_t line_n = 0;
    FILE *out = open_memstream(&line, &line_n);
    if (!out)
        return -ENOMEM;
    put_line(list, out, change);
    char *wider = fclose(out) == 0 ? realloc(list->lines, list->lines_n + line_n) : NULL;
    if (wider) {
        memcpy(wider + list->lines_n, line, line_n);
        list->lines = wider;
        list->lines_n += line_n;
    }
    free(line);
    return wider ? 0 : -ENOMEM;
}

/* Settings are few, and what makes no sense is to be seen. */
static bool may_be_folded(const struct change_list *list, const struct logged_change *change)
{
    return !list->all && change->sound && change->table != RULE_SETTING;
}

int change_list_add(struct change_list *list, const struct logged_change *change)
{
    if (!continues_run(list, change))
        end_run(list);
    if (!may_be_folded(list, change)) {
        put_line(list, list->out, change);
        return 0;
    }
    int r = list->n == 0 ? begin_run(list, change) : 0;
    list->last_seq = change->seq;
    list->n++;
    if (r == 0 && list->n <= CHANGE_LIST_MANY)
        r = keep_line(list, change);
    return r;
}

void change_list_end(struct change_list *list)
{
    end_run(list);
}
