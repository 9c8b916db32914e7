/*
 * JSON, as gatepost list and gatepost export write it: an array of objects, or one.
 */
#include "lists/list_format.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

struct json_list {
    const struct list_sink *sink;
    const struct kind *kind;
    struct str rest;
    size_t line;
};

static void skip(struct json_list *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        list->line += list->rest.p[i] == '\n';
    list->rest = str_from(list->rest, n);
}

static void skip_blanks(struct json_list *list)
{
    size_t n = 0;
    while (n < list->rest.n && memchr(" \t\r\n", list->rest.p[n], 4))
        n++;
    skip(list, n);
}

static bool skip_mark(struct json_list *list, char mark)
{
    skip_blanks(list);
    if (list->rest.n == 0 || list->rest.p[0] != mark)
        return false;
    skip(list, 1);
    return true;
}

static void fault(const struct json_list *list, const char *text)
{
    list->sink->fault(list->sink->context, list->line, text);
}

/* A text or null; false, after a fault, for anything else. */
static bool read_text(const struct json_list *list, const char *name, const json_t *value, struct str *text)
{
    if (json_is_null(value))
        return true;
    if (!json_is_string(value)) {
        list_sink_fault(list->sink, list->line, "\"%s\" is neither a text nor null", name);
        return false;
    }
    *text = str_make(json_string_value(value), json_string_length(value));
    return true;
}

static bool read_time(const struct json_list *list, const char *name, const json_t *value, int64_t *time)
{
    if (json_is_null(value))
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        list_sink_fault(list->sink, list->line, "\"%s\" is neither a number of Unix seconds nor null", name);
        return false;
    }
    *time = json_integer_value(value);
    if (*time == 0)
        *time = 1; /* as good: long ago */
    return true;
}

/* The value of a kind that has but one says nothing new, but must not contradict. */
static bool read_value(const struct json_list *list, const char *name, const json_t *value, struct list_entry *entry)
{
    struct str text = { NULL, 0 };
    if (!read_text(list, name, value, &text))
        return false;
    if (!list->kind->value) {
        entry->value = text;
        return true;
    }
    if (str_is(text, list->kind->value))
        return true;
    list_sink_fault(list->sink, list->line, "%s \"%.*s\" is not of the kind %s", name, STR_ARGS(text),
                    list->kind->name);
    return false;
}

static bool read_kind(const struct json_list *list, const json_t *value)
{
    if (json_is_string(value) && strcmp(json_string_value(value), list->kind->name) == 0)
        return true;
    list_sink_fault(list->sink, list->line, "this is not of the kind %s", list->kind->name);
    return false;
}

static bool read_relay(const struct json_list *list, const json_t *value, struct list_entry *entry)
{
    if (!json_is_boolean(value)) {
        fault(list, "\"relay\" is neither true nor false");
        return false;
    }
    entry->value = str_of(json_is_true(value) ? "relay" : "local");
    return true;
}

static bool is_passed_over(const char *name)
{
    return strcmp(name, "hits") == 0 || strcmp(name, "last") == 0; /* of gatepost list --hits */
}

static bool read_member(const struct json_list *list, const char *name, const json_t *value, struct list_entry *entry)
{
    const struct rule_table_info *info = &rule_tables[list->kind->table];
    if (strcmp(name, "kind") == 0)
        return read_kind(list, value);
    if (list->kind->table == RULE_LOCAL_DOMAIN && strcmp(name, "relay") == 0)
        return read_relay(list, value, entry);
    if (strcmp(name, info->key) == 0)
        return read_text(list, name, value, &entry->key);
    if (info->client && strcmp(name, info->client) == 0)
        return read_text(list, name, value, &entry->client);
    if (info->value && strcmp(name, info->value) == 0)
        return read_value(list, name, value, entry);
    if (strcmp(name, "note") == 0)
        return read_text(list, name, value, &entry->note);
    if (strcmp(name, "expires") == 0)
        return read_time(list, name, value, &entry->expires);
    if (strcmp(name, "created") == 0)
        return read_time(list, name, value, &entry->created);
    if (is_passed_over(name))
        return true;
    list_sink_fault(list->sink, list->line, "\"%s\" is no column of %s", name, info->name);
    return false;
}

static int take_object(const struct json_list *list, json_t *object)
{
    struct list_entry entry = { .line = list->line, .kind = list->kind };
    const char *name;
    json_t *value;
    bool good = json_is_object(object);
    if (!good)
        fault(list, "this is no object such as {\"kind\": ...}");
    else
        json_object_foreach(object, name, value) good = good && read_member(list, name, value, &entry);
    if (good && !entry.key.p) {
        list_sink_fault(list->sink, list->line, "\"%s\" is missing", rule_tables[list->kind->table].key);
        good = false;
    }
    return good ? list->sink->take(list->sink->context, &entry) : 0;
}

/* Returns 1; 0 after a fault of syntax, behind which nothing can be read; or a negative errno. */
static int read_object(struct json_list *list)
{
    json_error_t error;
    json_t *object = json_loadb(list->rest.p, list->rest.n, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error);
    if (!object) {
        if (json_error_code(&error) == json_error_out_of_memory)
            return -ENOMEM;
        list->line += (size_t)(error.line > 0 ? error.line - 1 : 0);
        list_sink_fault(list->sink, list->line, "this is no JSON: %s", error.text);
        return 0;
    }
    int r = take_object(list, object);
    json_decref(object);
    skip(list, (size_t)error.position);
    return r < 0 ? r : 1;
}

static void check_end(struct json_list *list)
{
    skip_blanks(list);
    if (list->rest.n > 0)
        fault(list, "something follows the end of the JSON");
}

/* Behind an object: what ends the array, or goes on with it. Returns 1 to go on. */
static int read_comma(struct json_list *list)
{
    if (skip_mark(list, ','))
        return 1;
    if (!skip_mark(list, ']'))
        fault(list, "a , or the ] that closes the array is missing");
    else
        check_end(list);
    return 0;
}

int list_read_json(struct list_file *file, const struct kind *kind, const struct list_sink *sink)
{
    struct json_list list = { sink, kind, str_make(file->bytes, file->n), 1 };
    bool is_array = skip_mark(&list, '[');
    int r = 1;
    if (is_array && skip_mark(&list, ']')) {
        check_end(&list);
        return 0;
    }
    while (r > 0) {
        skip_blanks(&list);
        r = read_object(&list);
        if (r > 0 && is_array) {
            r = read_comma(&list);
        } else if (r > 0) {
            check_end(&list);
            r = 0;
        }
    }
    return r;
}
