#include "explain/conclusion.h"

#include "console/cli.h"
#include "console/paint.h"
#include "core/array.h"
#include "explain/advice.h"
#include "explain/remedy.h"

#include <errno.h>
#include <stdlib.h>

/* Taking. */

/* What the step that answered found. */
static void write_because(FILE *out, const struct explained *x)
{
    const struct str *note = explained_answer(x);
    if (!note)
        return;
    explained_put_text(out, note[NOTE_WHY]);
    explained_put_row(out, note);
}

int conclusion_add(struct conclusion *conclusion, const struct explained *x)
{
    struct str archive;
    if (!ARRAY_RESERVE(conclusion->parts, conclusion->size, conclusion->n))
        return -ENOMEM;
    struct conclusion_part *part = &conclusion->parts[conclusion->n++];
    *part = (struct conclusion_part){
        .outcome = explained_outcome(x),
        .is_recipient = explained_is_state(x, "RCPT"),
        .is_message = explained_is_state(x, "DATA"),
        .is_copied = explained_is_copied(x, &archive),
        .recipient = x->request->attr[ATTR_RECIPIENT],
        .subject = advice_subject(x),
        .because = explained_text(write_because, x),
        .changes = explained_text(remedy_write, x),
        .advice = explained_text(advice_write, x),
    };
    return part->because && part->changes && part->advice ? 0 : -ENOMEM;
}

void conclusion_fini(struct conclusion *conclusion)
{
    for (size_t i = 0; i < conclusion->n; i++) {
        free(conclusion->parts[i].because);
        free(conclusion->parts[i].changes);
        free(conclusion->parts[i].advice);
    }
    free(conclusion->parts);
}

/* For the administrator. */

static bool is_same_decision(const struct conclusion_part *a, const struct conclusion_part *b)
{
    return strcmp(a->because, b->because) == 0 && strcmp(a->changes, b->changes) == 0;
}

static void print_changes(const char *changes)
{
    const char *label = "To change that:";
    for (struct str rest = str_of(changes); rest.n > 0; label = "or:") {
        struct str line = str_first(rest, str_find(rest, '\n'));
        printf("%15s ", label);
        cli_put_str(stdout, line);
        fputc('\n', stdout);
        rest = str_from(rest, line.n < rest.n ? line.n + 1 : line.n);
    }
}

static void print_decision(const struct conclusion *conclusion, size_t i)
{
    const struct conclusion_part *part = &conclusion->parts[i];
    if (part->outcome == OUTCOME_OPEN || part->outcome == OUTCOME_TAKEN)
        return;
    for (size_t j = 0; j < i; j++)
        if (conclusion->parts[j].outcome == part->outcome && is_same_decision(&conclusion->parts[j], part))
            return;
    fputs("\nDecided:        ", stdout);
    cli_put(stdout, part->because);
    fputc('\n', stdout);
    print_changes(part->changes);
}

/* For the user. */

static bool is_refused(const struct conclusion_part *part)
{
    return part->outcome == OUTCOME_DEFERRED || part->outcome == OUTCOME_REFUSED;
}

/* The sentence about part i, and all others of which the same is to be said. */
struct telling {
    const struct conclusion *conclusion;
    const struct str *to;
    size_t n_to;
    bool message_refused; /* at DATA, with all recipients that were taken before */
    bool has_recipients;
    bool copied;
};

static struct telling begin_telling(const struct conclusion *conclusion, const struct str *to, size_t n_to)
{
    struct telling telling = { .conclusion = conclusion, .to = to, .n_to = n_to };
    for (size_t i = 0; i < conclusion->n; i++) {
        const struct conclusion_part *part = &conclusion->parts[i];
        telling.message_refused = telling.message_refused || (part->is_message && is_refused(part));
        telling.has_recipients = telling.has_recipients || part->is_recipient;
        telling.copied = telling.copied || part->is_copied;
    }
    return telling;
}

static bool is_told(const struct telling *telling, size_t i)
{
    const struct conclusion_part *part = &telling->conclusion->parts[i];
    if (part->is_recipient)
        return is_refused(part) || !telling->message_refused;
    return is_refused(part) || (!telling->has_recipients && i + 1 == telling->conclusion->n);
}

static bool concerns(const struct conclusion_part *told, const struct conclusion_part *part)
{
    if (!part->is_recipient)
        return false;
    if (told->is_message)
        return !is_refused(part);
    return strcmp(part->advice, told->advice) == 0;
}

/* The recipients that the sentence is about, in an array for n_to + n of them. */
static size_t collect(const struct telling *telling, const struct conclusion_part *told, struct str *recipients)
{
    const struct conclusion *conclusion = telling->conclusion;
    size_t n = 0;
    for (size_t i = 0; i < conclusion->n; i++)
        if (concerns(told, &conclusion->parts[i]))
            recipients[n++] = conclusion->parts[i].recipient;
    if (n == 0 && !telling->has_recipients && told->recipient.n > 0)
        recipients[n++] = told->recipient;
    for (size_t i = 0; i < telling->n_to && !telling->has_recipients && n < telling->n_to; i++)
        recipients[n++] = telling->to[i];
    return n;
}

static bool is_first_of_its_kind(const struct telling *telling, size_t i)
{
    const struct conclusion_part *parts = telling->conclusion->parts;
    for (size_t j = 0; j < i; j++)
        if (parts[j].is_recipient && parts[i].is_recipient && strcmp(parts[j].advice, parts[i].advice) == 0)
            return false;
    return true;
}

static void write_sentence(FILE *out, const struct telling *telling, size_t i, struct str *recipients)
{
    const struct conclusion_part *told = &telling->conclusion->parts[i];
    size_t n = collect(telling, told, recipients);
    fputs(told->subject ? told->subject : "Your mail", out);
    if (!told->subject && n > 0) {
        fputs(" to ", out);
        advice_write_recipients(out, recipients, n);
    }
    fprintf(out, " %s", told->advice);
}

static void write_sentences(FILE *out, const struct conclusion *conclusion, const struct str *to, size_t n_to)
{
    struct telling telling = begin_telling(conclusion, to, n_to);
    struct str *recipients = calloc(conclusion->n + n_to + 1, sizeof *recipients);
    bool first = true;
    for (size_t i = 0; i < conclusion->n && recipients; i++) {
        if (!is_told(&telling, i) || !is_first_of_its_kind(&telling, i))
            continue;
        fputs(first ? "" : " ", out);
        write_sentence(out, &telling, i, recipients);
        first = false;
    }
    if (telling.copied && telling.has_recipients)
        fputs(" A copy of what is taken is kept in our archive.", out);
    free(recipients);
}

void conclusion_print(const struct conclusion *conclusion, const struct str *to, size_t n_to)
{
    char *text = NULL;
    size_t n = 0;
    for (size_t i = 0; i < conclusion->n; i++)
        print_decision(conclusion, i);
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return;
    write_sentences(out, conclusion, to, n_to);
    if (fclose(out) == 0) {
        printf("\nTo tell the user:\n%s", paint(stdout, PAINT_STRONG));
        cli_put(stdout, text);
        printf("%s\n", paint(stdout, PAINT_OFF));
    }
    free(text);
}

void conclusion_write_one(FILE *out, const struct explained *x)
{
    struct conclusion conclusion = { 0 };
    if (conclusion_add(&conclusion, x) == 0)
        write_sentences(out, &conclusion, NULL, 0);
    conclusion_fini(&conclusion);
}
