#include "store/redis_out.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

enum {
    FIRST_BYTES = 4096,
    KEPT_BYTES = 256 * 1024, /* a buffer that grew beyond is given back */
    WORDS_MAX = 8            /* of a command */
};

void redis_out_init(struct redis_out *out, void (*written)(struct redis_out *out, int status), void *context)
{
    *out = (struct redis_out){ .written = written, .context = context };
    out->write.data = out;
}

void redis_out_fini(struct redis_out *out)
{
    free(out->bytes);
    free(out->sent);
}

static int reserve(struct redis_out *out, size_t n)
{
    size_t size = out->size ? out->size : FIRST_BYTES;
    if (n > REDIS_OUT_MAX_BYTES - out->n)
        return -ENOMEM;
    while (size < out->n + n)
        size *= 2;
    if (size == out->size)
        return 0;
    char *wider = realloc(out->bytes, size);
    if (!wider)
        return -ENOMEM;
    out->bytes = wider;
    out->size = size;
    return 0;
}

int redis_out_add(struct redis_out *out, size_t n_words, const struct str *words)
{
    const char *argv[WORDS_MAX];
    size_t lengths[WORDS_MAX];
    char *command = NULL;
    if (n_words > WORDS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < n_words; i++) {
        argv[i] = words[i].p;
        lengths[i] = words[i].n;
    }
    int n = redisFormatCommandArgv(&command, (int)n_words, argv, lengths);
    if (n < 0)
        return -ENOMEM;
    int r = reserve(out, (size_t)n);
    if (r == 0) {
        memcpy(out->bytes + out->n, command, (size_t)n);
        out->n += (size_t)n;
    }
    redisFreeCommand(command);
    return r;
}

/* What libuv had becomes the buffer for the next commands, unless it has grown large. */
static void give_back(struct redis_out *out)
{
    if (out->sent_size <= KEPT_BYTES)
        return;
    free(out->sent);
    out->sent = NULL;
    out->sent_size = 0;
}

static void on_write(uv_write_t *write, int status)
{
    struct redis_out *out = write->data;
    uv_stream_t *stream = write->handle;
    out->writing = false;
    give_back(out);
    if (status == 0 && !uv_is_closing((uv_handle_t *)stream))
        status = redis_out_flush(out, stream);
    out->written(out, status);
}

static void swap(struct redis_out *out)
{
    char *bytes = out->bytes;
    size_t size = out->size;
    out->bytes = out->sent;
    out->size = out->sent_size;
    out->sent = bytes;
    out->sent_size = size;
    out->n = 0;
}

int redis_out_flush(struct redis_out *out, uv_stream_t *stream)
{
    size_t n = out->n;
    if (n == 0 || out->writing)
        return 0;
    swap(out);
    uv_buf_t buf = uv_buf_init(out->sent, (unsigned)n);
    int done = uv_try_write(stream, &buf, 1);
    if (done < 0 && done != UV_EAGAIN)
        return done;
    size_t sent = done < 0 ? 0 : (size_t)done;
    if (sent == n) {
        give_back(out);
        return 0;
    }
    buf = uv_buf_init(out->sent + sent, (unsigned)(n - sent));
    int r = uv_write(&out->write, stream, &buf, 1, on_write);
    out->writing = r == 0;
    return r;
}
