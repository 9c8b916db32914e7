#include "store/login_rows.h"

#include <errno.h>
#include <stdlib.h>

enum {
    FIRST_ENTRIES = 64,
    FIRST_TEXT_BYTES = 4096,
    KEPT_ENTRIES = 4096, /* grown beyond this, memory is given back */
    KEPT_TEXT_BYTES = 256 * 1024
};

static int grow_entries(struct login_rows *rows)
{
    if (rows->n < rows->room)
        return 0;
    size_t room = rows->room ? 2 * rows->room : FIRST_ENTRIES;
    struct login_entry *entries = realloc(rows->entries, room * sizeof *entries);
    if (!entries)
        return -ENOMEM;
    rows->entries = entries;
    rows->room = room;
    return 0;
}

static int grow_text(struct login_rows *rows, size_t more)
{
    size_t room = rows->text_room ? rows->text_room : FIRST_TEXT_BYTES;
    while (room - rows->text_bytes < more)
        room *= 2;
    if (room == rows->text_room)
        return 0;
    char *text = realloc(rows->text, room);
    if (!text)
        return -ENOMEM;
    rows->text = text;
    rows->text_room = room;
    return 0;
}

static void append(struct login_rows *rows, struct str text)
{
    if (text.n > 0)
        memcpy(rows->text + rows->text_bytes, text.p, text.n);
    rows->text_bytes += text.n;
}

int login_rows_add(struct login_rows *rows, struct str address, struct str user, int64_t ends_at)
{
    if (grow_entries(rows) < 0 || grow_text(rows, address.n + user.n) < 0)
        return -ENOMEM;
    rows->entries[rows->n++] = (struct login_entry){ { NULL, address.n }, { NULL, user.n }, ends_at };
    append(rows, address);
    append(rows, user);
    return 0;
}

void login_rows_drop_last(struct login_rows *rows)
{
    const struct login_entry *last = &rows->entries[--rows->n];
    rows->text_bytes -= last->address.n + last->user.n;
}

void login_rows_last(const struct login_rows *rows, struct str *address, struct str *user)
{
    const struct login_entry *last = &rows->entries[rows->n - 1];
    const char *end = rows->text + rows->text_bytes;
    *user = str_make(end - last->user.n, last->user.n);
    *address = str_make(user->p - last->address.n, last->address.n);
}

void login_rows_settle(struct login_rows *rows, struct login_request *requests)
{
    const char *at = rows->text;
    for (size_t i = 0; i < rows->n; i++) {
        struct login_entry *entry = &rows->entries[i];
        entry->address.p = at;
        at += entry->address.n;
        entry->user.p = at;
        at += entry->user.n;
    }
    const struct login_entry *next = rows->entries;
    for (struct login_request *request = requests; request; request = request->next) {
        request->entries = NULL;
        if (request->n_entries > 0) {
            request->entries = next;
            next += request->n_entries;
        }
    }
}

void login_rows_clear(struct login_rows *rows)
{
    if (rows->room > KEPT_ENTRIES || rows->text_room > KEPT_TEXT_BYTES)
        login_rows_fini(rows);
    rows->n = rows->text_bytes = 0;
}

void login_rows_fini(struct login_rows *rows)
{
    free(rows->entries);
    free(rows->text);
    *rows = (struct login_rows){ 0 };
}
