#include "login_fixture.h"

#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_MS = 30000, TICK_MS = 20, OPEN_FILES = 8 };

/* Read as a pattern, it would not match itself. */
static const char prefix[] = "gate[p]?st*\\:";

static void run_server(const char *folder, const char *socket_path)
{
    int null = open("/dev/null", O_RDWR);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also where the test fails */
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO);
    (void)execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path, "--dir", folder, "--save",
                 "", "--appendonly", "no", "--loglevel", "warning", (char *)NULL);
    _exit(127);
}

static bool listens(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    bool connected = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return connected;
}

static void start_server(struct login_fixture *fixture)
{
    const struct timespec tick = { .tv_nsec = TICK_MS * 1000000 };
    fixture->server = fork();
    ck_assert_int_ge(fixture->server, 0);
    if (fixture->server == 0)
        run_server(fixture->folder, fixture->path);
    for (int waited_ms = 0; !listens(fixture->path); waited_ms += TICK_MS) {
        ck_assert_msg(waited_ms < DEADLINE_MS, "redis-server does not listen");
        ck_assert_msg(waitpid(fixture->server, NULL, WNOHANG) == 0, "redis-server does not start");
        (void)nanosleep(&tick, NULL);
    }
}

void fixture_begin(struct login_fixture *fixture, enum login_kind kind)
{
    *fixture = (struct login_fixture){ .start = time(NULL) };
    (void)snprintf(fixture->folder, sizeof fixture->folder, "/tmp/gatepost-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fixture->folder));
    (void)snprintf(fixture->path, sizeof fixture->path, "%.64s/logins", fixture->folder);
    (void)snprintf(fixture->url, sizeof fixture->url, "%s%.96s", kind == LOGIN_IN_SQLITE ? "sqlite:" : "redis+unix://",
                   fixture->path);
    if (kind == LOGIN_IN_REDIS)
        start_server(fixture);
    ck_assert_int_eq(uv_loop_init(&fixture->loop), 0);
}

static void on_changed(void *context, bool up, const char *why)
{
    struct login_fixture *fixture = context;
    ck_assert_int_eq(up, why == NULL);
    ck_assert_int_eq(login_store_state(fixture->store), up ? LOGIN_STORE_UP : LOGIN_STORE_DOWN);
    if (!up)
        error_set(&fixture->down, 0, "%s", why);
    ++*(up ? &fixture->n_up : &fixture->n_down);
}

static void on_warned(void *context, const char *text)
{
    const struct login_fixture *fixture = context;
    ck_assert_msg(fixture->may_warn, "a warning: %s", text);
}

int fixture_try_open(struct login_fixture *fixture, bool may_be_down, struct error *error)
{
    const struct login_store_options options = {
        .url = fixture->url,
        .prefix = prefix,
        .timeout_ms = DEADLINE_MS,
        .may_be_down = may_be_down,
        .listener = { on_changed, on_warned, fixture },
    };
    fixture->store = NULL;
    fixture->n_up = fixture->n_down = 0;
    return login_store_open(&fixture->store, &fixture->loop, &options, error);
}

void fixture_open(struct login_fixture *fixture)
{
    struct error error = { "" };
    int r = fixture_try_open(fixture, false, &error);
    ck_assert_msg(r == 0, "%d: %s", r, error.text);
    fixture_await(fixture, &fixture->n_up, 1);
}

void fixture_close(struct login_fixture *fixture)
{
    login_store_close(fixture->store);
    fixture->store = NULL;
    ck_assert_int_eq(uv_run(&fixture->loop, UV_RUN_DEFAULT), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void fixture_end(struct login_fixture *fixture)
{
    ck_assert_int_eq(uv_loop_close(&fixture->loop), 0);
    if (fixture->server > 0) {
        ck_assert_int_eq(kill(fixture->server, SIGKILL), 0);
        ck_assert_int_eq(waitpid(fixture->server, NULL, 0), fixture->server);
    }
    ck_assert_int_eq(nftw(fixture->folder, remove_one, OPEN_FILES, FTW_DEPTH | FTW_PHYS), 0);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer; /* it wakes the loop */
}

void fixture_await(struct login_fixture *fixture, const int *number, int least)
{
    uv_timer_t timer;
    uint64_t until = uv_hrtime() + DEADLINE_MS * UINT64_C(1000000);
    ck_assert_int_eq(uv_timer_init(&fixture->loop, &timer), 0);
    ck_assert_int_eq(uv_timer_start(&timer, on_tick, TICK_MS, TICK_MS), 0);
    while (*number < least) {
        ck_assert_msg(uv_hrtime() < until, "nothing happens");
        (void)uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_names(struct login_names *names, const struct login_request *request, int64_t start)
{
    names->name = realloc(names->name, (names->n + request->n_entries + 1) * sizeof *names->name);
    ck_assert_ptr_nonnull(names->name);
    for (size_t i = 0; i < request->n_entries; i++) {
        const struct login_entry *entry = &request->entries[i];
        int n = request->verb == LOGIN_LIST
                    ? asprintf(&names->name[names->n], "%.*s %.*s %" PRId64, STR_ARGS(entry->address),
                               STR_ARGS(entry->user), entry->ends_at - start)
                    : asprintf(&names->name[names->n], "%.*s", STR_ARGS(entry->user));
        ck_assert_int_ge(n, 0);
        names->n++;
    }
    qsort(names->name, names->n, sizeof *names->name, compare_names);
}

void fixture_names_join(const struct login_names *names, char text[FIXTURE_NAMES_BYTES])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < names->n && used < FIXTURE_NAMES_BYTES; i++)
        used += (size_t)snprintf(text + used, FIXTURE_NAMES_BYTES - used, "%s%s", i ? "|" : "", names->name[i]);
}

void fixture_names_fini(struct login_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->name[i]);
    free(names->name);
    *names = (struct login_names){ 0 };
}

void fixture_on_done(struct login_request *request)
{
    struct login_answer *answer = request->context;
    answer->n_done++;
    answer->outcome = request->outcome;
    ck_assert_int_eq(request->outcome == LOGIN_DONE, request->why == NULL);
    (void)snprintf(answer->why, sizeof answer->why, "%s", request->why ? request->why : "");
    answer->names[0] = '\0';
    answer->n_entries = answer->n_removed = 0;
    if (request->outcome != LOGIN_DONE)
        return;
    answer->n_removed = request->n_removed;
    answer->whole = request->whole;
    if (request->verb != LOGIN_LOOK_UP && request->verb != LOGIN_LIST)
        return;
    struct login_names names = { 0 };
    answer->n_entries = request->n_entries;
    add_names(&names, request, 0);
    fixture_names_join(&names, answer->names);
    fixture_names_fini(&names);
}

void fixture_ask(struct login_fixture *fixture, struct login_request *request, struct login_answer *answer)
{
    request->done = fixture_on_done;
    request->context = answer;
    answer->n_done = 0;
    ck_assert_int_eq(login_store_submit(fixture->store, request), 0);
    ck_assert_int_eq(answer->n_done, 0);
    fixture_await(fixture, &answer->n_done, 1);
    ck_assert_int_eq(answer->n_done, 1);
}

enum login_outcome fixture_record(struct login_fixture *fixture, const char *address, const char *user, int now,
                                  int ends)
{
    struct login_answer answer;
    struct login_request request = {
        .verb = LOGIN_RECORD,
        .address = str_of(address),
        .user = str_of(user),
        .now = fixture->start + now,
        .ends_at = fixture->start + ends,
    };
    fixture_ask(fixture, &request, &answer);
    return answer.outcome;
}

enum login_outcome fixture_look_up(struct login_fixture *fixture, const char *address, int now,
                                   struct login_answer *answer)
{
    struct login_request request = { .verb = LOGIN_LOOK_UP, .address = str_of(address), .now = fixture->start + now };
    fixture_ask(fixture, &request, answer);
    return answer->outcome;
}

struct listing {
    struct login_names *names;
    int64_t start;
    int n_done;
};

static void on_listed(struct login_request *request)
{
    struct listing *listing = request->context;
    ck_assert_msg(request->outcome == LOGIN_DONE, "%s", request->why ? request->why : "");
    add_names(listing->names, request, listing->start);
    listing->n_done++;
}

void fixture_list(struct login_fixture *fixture, int now, struct login_names *names)
{
    struct listing listing = { .names = names, .start = fixture->start };
    char cursor[LOGIN_CURSOR_SIZE] = "";
    struct login_request request = {
        .verb = LOGIN_LIST, .cursor = cursor, .now = fixture->start + now, .done = on_listed, .context = &listing
    };
    do {
        int n_done = listing.n_done;
        ck_assert_int_eq(login_store_submit(fixture->store, &request), 0);
        fixture_await(fixture, &listing.n_done, n_done + 1);
    } while (cursor[0] != '\0');
}
