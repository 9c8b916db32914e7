#include "daemon/login_queue.h"

#include <stdlib.h>

/* Kinds of key in the index. */
enum { BY_ADDRESS = 'a', BY_LOGIN = 'l' };

/* Address and user as one key; no address holds a NUL. */
static struct str login_key(const struct queued_login *login)
{
    return str_make(login->texts, login->request.address.n + 1 + login->request.user.n);
}

struct queued_login *queued_login_new(struct str address, struct str user, int64_t ends_at)
{
    struct queued_login *login = calloc(1, sizeof *login + address.n + 1 + user.n);
    if (!login)
        return NULL;
    memcpy(login->texts, address.p, address.n);
    memcpy(login->texts + address.n + 1, user.p, user.n);
    login->request.verb = LOGIN_RECORD;
    login->request.address = str_make(login->texts, address.n);
    login->request.user = str_make(login->texts + address.n + 1, user.n);
    login->request.ends_at = ends_at;
    return login;
}

static void link_last(struct login_queue *queue, struct queued_login *login)
{
    login->number = ++queue->last_number;
    login->next = NULL;
    login->prev = queue->last;
    if (queue->last)
        queue->last->next = login;
    else
        queue->first = login;
    queue->last = login;
}

static void unlink_login(struct login_queue *queue, struct queued_login *login)
{
    if (login->prev)
        login->prev->next = login->next;
    else
        queue->first = login->next;
    if (login->next)
        login->next->prev = login->prev;
    else
        queue->last = login->prev;
}

/* What does not get into the index for want of memory is stored all the same; it only does not count until then. */
static void index_add(struct login_queue *queue, struct queued_login *login)
{
    void **here = key_map_put(&queue->index, BY_ADDRESS, login->request.address);
    if (!here)
        return;
    login->next_here = *here;
    if (login->next_here)
        login->next_here->prev_here = login;
    *here = login;
    void **same = key_map_put(&queue->index, BY_LOGIN, login_key(login));
    if (same)
        *same = login;
}

static void index_remove(struct login_queue *queue, struct queued_login *login)
{
    if (key_map_get(&queue->index, BY_LOGIN, login_key(login)) == login)
        key_map_remove(&queue->index, BY_LOGIN, login_key(login));
    if (login->next_here)
        login->next_here->prev_here = login->prev_here;
    if (login->prev_here) {
        login->prev_here->next_here = login->next_here;
    } else if (login_queue_at(queue, login->request.address) == login) {
        void **here = login->next_here ? key_map_put(&queue->index, BY_ADDRESS, login->request.address) : NULL;
        if (here)
            *here = login->next_here;
        else
            key_map_remove(&queue->index, BY_ADDRESS, login->request.address);
    }
}

void login_queue_add(struct login_queue *queue, struct queued_login *login)
{
    struct queued_login *same = key_map_get(&queue->index, BY_LOGIN, login_key(login));
    if (same && !same->submitted) {
        if (same->request.ends_at < login->request.ends_at)
            same->request.ends_at = login->request.ends_at;
        login->dropped = true;
        if (!login->submitted)
            free(login);
        return;
    }
    if (queue->n >= LOGIN_QUEUE_MAX) {
        login_queue_drop(queue, queue->first);
        queue->n_forgotten++;
    }
    link_last(queue, login);
    login->queued = true;
    queue->n++;
    index_add(queue, login);
}

void login_queue_move_last(struct login_queue *queue, struct queued_login *login)
{
    unlink_login(queue, login);
    link_last(queue, login);
}

void login_queue_drop(struct login_queue *queue, struct queued_login *login)
{
    index_remove(queue, login);
    unlink_login(queue, login);
    queue->n--;
    login->queued = false;
    login->dropped = true;
    if (!login->submitted)
        free(login);
}

struct queued_login *login_queue_at(const struct login_queue *queue, struct str address)
{
    return key_map_get(&queue->index, BY_ADDRESS, address);
}

struct queued_login *login_queue_find(const struct login_queue *queue, struct str address, struct str user)
{
    char key[IP_TEXT_SIZE + 1 + LOGIN_NAME_MAX_BYTES];
    size_t n = address.n + 1 + user.n;
    if (n > sizeof key)
        return NULL;
    memcpy(key, address.p, address.n);
    key[address.n] = '\0';
    memcpy(key + address.n + 1, user.p, user.n);
    return key_map_get(&queue->index, BY_LOGIN, str_make(key, n));
}

void login_queue_fini(struct login_queue *queue)
{
    while (queue->first)
        login_queue_drop(queue, queue->first);
    key_map_fini(&queue->index, NULL);
}
