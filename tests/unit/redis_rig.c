#include "redis_rig.h"

#include "suite.h"

#include <ftw.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_SIZE = 128, ARGUMENTS_MAX = 32, ROUND_MS = 5 };

char rig_folder[RIG_NAME_SIZE];
static unsigned n_done;

/* The folder. */

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

void rig_make_folder(void)
{
    (void)snprintf(rig_folder, sizeof rig_folder, "/tmp/gatepost-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig_folder));
}

void rig_remove_folder(void)
{
    (void)nftw(rig_folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* The real server. */

static void run_redis(const char *path, const char *const *arguments)
{
    const char *words[ARGUMENTS_MAX] = { "redis-server", "--port", "0",     "--unixsocket", path,        "--save",   "",
                                         "--appendonly", "no",     "--dir", rig_folder,     "--logfile", "/dev/null" };
    size_t n = 0;
    while (words[n])
        n++;
    for (; arguments && *arguments && n + 1 < ARGUMENTS_MAX; arguments++)
        words[n++] = *arguments;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execvp(words[0], (char *const *)words);
    _exit(127);
}

pid_t rig_start_redis(const char *name, const char *const *arguments)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", rig_folder, name);
    (void)unlink(path);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        run_redis(path, arguments);
    for (unsigned i = 0; i < RIG_PATIENCE_MS / ROUND_MS; i++) {
        redisContext *context = redisConnectUnix(path);
        bool up = context && !context->err;
        redisFree(context);
        if (up)
            return pid;
        ck_assert_msg(waitpid(pid, NULL, WNOHANG) == 0, "redis-server has ended");
        (void)usleep(ROUND_MS * 1000);
    }
    ck_abort_msg("redis-server does not come up");
}

void rig_stop_redis(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void append(char *text, const char *more)
{
    size_t n = strlen(text);
    (void)snprintf(text + n, RIG_TEXT_SIZE - n, "%s%s", n ? " " : "", more);
}

static void append_reply(char *text, const redisReply *reply)
{
    char number[32];
    if (reply->type == REDIS_REPLY_INTEGER) {
        (void)snprintf(number, sizeof number, "%lld", reply->integer);
        append(text, number);
    } else if (reply->type == REDIS_REPLY_ARRAY) {
        for (size_t i = 0; i < reply->elements; i++)
            append_reply(text, reply->element[i]);
    } else {
        append(text, reply->type == REDIS_REPLY_NIL ? "nil" : reply->str);
    }
}

const char *rig_redis(const char *name, const char *format, ...)
{
    static char text[RIG_TEXT_SIZE];
    char path[PATH_SIZE], command[RIG_TEXT_SIZE];
    const char *argv[ARGUMENTS_MAX];
    int argc = 0;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(command, sizeof command, format, args);
    va_end(args);
    for (char *word = strtok(command, " "); word && argc < ARGUMENTS_MAX; word = strtok(NULL, " "))
        argv[argc++] = word;
    (void)snprintf(path, sizeof path, "%s/%s", rig_folder, name);
    redisContext *context = redisConnectUnix(path);
    ck_assert(context && !context->err);
    redisReply *reply = redisCommandArgv(context, argc, argv, NULL);
    ck_assert_ptr_nonnull(reply);
    text[0] = '\0';
    append_reply(text, reply);
    freeReplyObject(reply);
    redisFree(context);
    return text;
}

/* The store. */

static void on_changed(void *context, bool up, const char *why)
{
    struct rig *rig = context;
    ck_assert(!rig->closing);
    ck_assert(up == (why == NULL));
    ck_assert_msg(rig->n_up + rig->n_down == 0 || rig->is_up != up, "told twice");
    rig->is_up = up;
    rig->n_up += up;
    rig->n_down += !up;
    (void)snprintf(rig->cause, sizeof rig->cause, "%s", why ? why : "");
}

static void on_warned(void *context, const char *text)
{
    struct rig *rig = context;
    ck_assert(!rig->closing);
    rig->n_warned++;
    (void)snprintf(rig->warning, sizeof rig->warning, "%s", text);
}

void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    (void)signal(SIGPIPE, SIG_IGN); /* as in the daemon */
    ck_assert_int_eq(uv_loop_init(&rig->loop), 0);
}

void rig_open_in(struct rig *rig, const char *url, uint32_t timeout_ms)
{
    struct error error = { "" };
    struct login_store_options options = {
        .url = url, .prefix = "gatepost:", .timeout_ms = timeout_ms, .listener = { on_changed, on_warned, rig }
    };
    int r = login_store_open(&rig->store, &rig->loop, &options, &error);
    ck_assert_msg(r == 0, "%s", error.text);
}

void rig_open(struct rig *rig, const char *url, uint32_t timeout_ms)
{
    rig_init(rig);
    rig_open_in(rig, url, timeout_ms);
}

void rig_open_at(struct rig *rig, const char *name)
{
    char url[PATH_SIZE];
    (void)snprintf(url, sizeof url, "redis+unix://%s/%s", rig_folder, name);
    rig_open(rig, url, RIG_TIMEOUT_MS);
}

void rig_close(struct rig *rig)
{
    rig->closing = true;
    login_store_close(rig->store);
    ck_assert_int_eq(uv_run(&rig->loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&rig->loop), 0);
}

static void on_round_over(uv_timer_t *timer)
{
    (void)timer;
}

static void on_timer_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

void rig_round(struct rig *rig)
{
    uv_timer_t timer;
    bool closed = false;
    ck_assert_int_eq(uv_timer_init(&rig->loop, &timer), 0);
    timer.data = &closed;
    ck_assert_int_eq(uv_timer_start(&timer, on_round_over, ROUND_MS, 0), 0);
    (void)uv_run(&rig->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, on_timer_closed);
    while (!closed)
        (void)uv_run(&rig->loop, UV_RUN_NOWAIT);
}

/* Requests. */

static void on_done(struct login_request *request)
{
    struct rig_request *rig_request = (struct rig_request *)request;
    char entry[IP_TEXT_SIZE + LOGIN_NAME_MAX_BYTES + 32];
    ck_assert(!rig_request->done);
    ck_assert((request->outcome == LOGIN_DONE) == (request->why == NULL));
    rig_request->done = true;
    rig_request->order = ++n_done;
    (void)snprintf(rig_request->why, sizeof rig_request->why, "%s", request->why ? request->why : "");
    for (size_t i = 0; i < request->n_entries && strlen(rig_request->names) + sizeof entry < RIG_TEXT_SIZE; i++) {
        const struct login_entry *login = &request->entries[i];
        if (request->verb == LOGIN_LIST)
            (void)snprintf(entry, sizeof entry, "%.*s/%.*s=%lld", STR_ARGS(login->address), STR_ARGS(login->user),
                           (long long)login->ends_at);
        else
            (void)snprintf(entry, sizeof entry, "%.*s", STR_ARGS(login->user));
        append(rig_request->names, entry);
    }
}

void rig_fill(struct rig_request *request, enum login_verb verb, const char *address, const char *user, int64_t ends_at,
              int64_t now)
{
    memset(request, 0, sizeof *request);
    (void)snprintf(request->address, sizeof request->address, "%s", address);
    (void)snprintf(request->user, sizeof request->user, "%s", user);
    request->request = (struct login_request){ .verb = verb,
                                               .cursor = request->cursor,
                                               .address = str_of(request->address),
                                               .user = str_of(request->user),
                                               .ends_at = ends_at,
                                               .now = now,
                                               .done = on_done };
}

int rig_submit(struct rig *rig, struct rig_request *request)
{
    request->done = false;
    request->names[0] = '\0';
    int r = login_store_submit(rig->store, &request->request);
    ck_assert(!request->done);
    return r;
}

enum login_outcome rig_ask(struct rig *rig, struct rig_request *request)
{
    int r = rig_submit(rig, request);
    ck_assert_msg(r == 0, "%d", r);
    rig_wait(rig, request->done);
    return request->request.outcome;
}

enum login_outcome rig_record(struct rig *rig, const char *address, const char *user, int64_t ends_at, int64_t now)
{
    struct rig_request request;
    rig_fill(&request, LOGIN_RECORD, address, user, ends_at, now);
    return rig_ask(rig, &request);
}

const char *rig_look_up(struct rig *rig, const char *address, int64_t now)
{
    static struct rig_request request;
    rig_fill(&request, LOGIN_LOOK_UP, address, "", 0, now);
    return rig_ask(rig, &request) == LOGIN_DONE ? request.names : request.why;
}
