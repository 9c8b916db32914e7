#include "core/busiest.h"

#include "core/hash.h"

/* Spans. */

static void begin_span(struct busiest_span *span, uint64_t now_s)
{
    memset(span, 0, sizeof *span);
    span->begin_s = now_s;
}

void busiest_init(struct busiest *busiest, uint64_t now_s)
{
    busiest->current = 0;
    begin_span(&busiest->spans[0], now_s);
    begin_span(&busiest->spans[1], now_s);
}

static struct busiest_span *span_before(struct busiest *busiest)
{
    return &busiest->spans[!busiest->current];
}

static struct busiest_span *span_at(struct busiest *busiest, uint64_t now_s)
{
    struct busiest_span *span = &busiest->spans[busiest->current];
    if (now_s < span->begin_s + BUSIEST_SPAN_S)
        return span;
    if (now_s >= span->begin_s + (uint64_t)2 * BUSIEST_SPAN_S) { /* after a long silence both are over */
        busiest_init(busiest, now_s);
        return &busiest->spans[busiest->current];
    }
    begin_span(span_before(busiest), span->begin_s + BUSIEST_SPAN_S);
    busiest->current = !busiest->current;
    return &busiest->spans[busiest->current];
}

/* Counting. */

static struct busiest_client *set_of(struct busiest_span *span, const struct ip_addr *addr)
{
    return span->clients[hash_mix(hash_mix(addr->v6, addr->hi), addr->lo) >> 32 & (BUSIEST_SETS - 1)];
}

static bool is_client(const struct busiest_client *client, const struct ip_addr *addr)
{
    return client->n > 0 && ip_compare(&client->addr, addr) == 0;
}

void busiest_add(struct busiest *busiest, const struct ip_addr *addr, uint64_t now_s)
{
    struct busiest_span *span = span_at(busiest, now_s);
    struct busiest_client *set = set_of(span, addr), *least = set;
    span->n++;
    for (size_t i = 0; i < BUSIEST_WAYS; i++) {
        if (is_client(&set[i], addr)) {
            set[i].n += set[i].n < UINT32_MAX;
            return;
        }
        if (set[i].n < least->n)
            least = &set[i];
    }
    *least = (struct busiest_client){ *addr, least->n + (least->n < UINT32_MAX), least->n };
}

/* Finding. */

static uint64_t sure_count(const struct busiest_client *client)
{
    return client->n - client->error;
}

static const struct busiest_client *find(struct busiest_span *span, const struct ip_addr *addr)
{
    const struct busiest_client *set = set_of(span, addr);
    for (size_t i = 0; i < BUSIEST_WAYS; i++)
        if (is_client(&set[i], addr))
            return &set[i];
    return NULL;
}

static void put(struct busiest_top *top, const struct ip_addr *addr, uint64_t n)
{
    size_t at = top->n_clients;
    while (at > 0 && top->clients[at - 1].n < n)
        at--;
    if (at == BUSIEST_TOP)
        return;
    if (top->n_clients < BUSIEST_TOP)
        top->n_clients++;
    memmove(&top->clients[at + 1], &top->clients[at], (top->n_clients - 1 - at) * sizeof *top->clients);
    top->clients[at].addr = *addr;
    top->clients[at].n = n;
}

/* Those of the span with what they have in the other one; left out are those that stand there, too, where
 * `only_here`. */
static void put_span(struct busiest_top *top, struct busiest_span *span, struct busiest_span *other, bool only_here)
{
    for (size_t i = 0; i < BUSIEST_SETS; i++) {
        for (size_t j = 0; j < BUSIEST_WAYS && span->clients[i][j].n > 0; j++) {
            const struct busiest_client *client = &span->clients[i][j], *same = find(other, &client->addr);
            if (!same || !only_here)
                put(top, &client->addr, sure_count(client) + (same ? sure_count(same) : 0));
        }
    }
}

void busiest_find(struct busiest *busiest, uint64_t now_s, struct busiest_top *top)
{
    struct busiest_span *span = span_at(busiest, now_s), *before = span_before(busiest);
    *top = (struct busiest_top){ .seconds = now_s - before->begin_s, .n = span->n + before->n };
    put_span(top, span, before, false);
    put_span(top, before, span, true);
}
