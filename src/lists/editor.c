#include "lists/editor.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int editor_open(struct editor *editor, const char *name, struct error *error)
{
    const char *parent = getenv("TMPDIR");
    *editor = (struct editor){ .out = NULL };
    int n = snprintf(editor->folder, sizeof editor->folder, "%s/gatepost.XXXXXX", parent && *parent ? parent : "/tmp");
    if (n >= (int)sizeof editor->folder || !mkdtemp(editor->folder)) {
        int r = error_set(error, -errno, "%s: %s", editor->folder, strerror(errno));
        editor->folder[0] = '\0';
        return r;
    }
    n = snprintf(editor->path, sizeof editor->path, "%s/%s", editor->folder, name);
    editor->out = n < (int)sizeof editor->path ? fopen(editor->path, "wxe") : NULL;
    return editor->out ? 0 : error_set(error, -errno, "%s: %s", editor->path, strerror(errno));
}

static const char *command(void)
{
    static const char *const names[] = { "VISUAL", "EDITOR" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return value;
    }
    return "editor";
}

/* The shell splits what is in EDITOR. */
static int start(const struct editor *editor, pid_t *child)
{
    char line[EDITOR_PATH_SIZE];
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int n = snprintf(line, sizeof line, "%s \"$1\"", command());
    if (n >= (int)sizeof line)
        return E2BIG;
    char *argv[] = { "sh", "-c", line, "sh", (char *)editor->path, NULL };
    int code = posix_spawnattr_init(&attributes);
    if (code != 0)
        return code;
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGINT);
    (void)sigaddset(&defaults, SIGQUIT);
    (void)sigaddset(&defaults, SIGPIPE);
    code = posix_spawnattr_setsigdefault(&attributes, &defaults);
    if (code == 0)
        code = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    if (code == 0)
        code = posix_spawn(child, "/bin/sh", NULL, &attributes, argv, environ);
    (void)posix_spawnattr_destroy(&attributes);
    return code;
}

/* Ctrl-C and the like are for the editor while it runs. */
static int run_alone(const struct editor *editor, int *status)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN }, interrupt, quit;
    pid_t child;
    (void)sigaction(SIGINT, &ignore, &interrupt);
    (void)sigaction(SIGQUIT, &ignore, &quit);
    int code = start(editor, &child);
    while (code == 0 && waitpid(child, status, 0) < 0)
        if (errno != EINTR)
            code = errno;
    (void)sigaction(SIGINT, &interrupt, NULL);
    (void)sigaction(SIGQUIT, &quit, NULL);
    return code;
}

int editor_run(struct editor *editor, struct error *error)
{
    int status = 0;
    if (editor->out) {
        bool failed = ferror(editor->out) != 0;
        failed = fclose(editor->out) != 0 || failed;
        editor->out = NULL;
        if (failed)
            return error_set(error, -EIO, "%s: could not be written", editor->path);
    }
    int code = run_alone(editor, &status);
    if (code != 0)
        return error_set(error, -code, "the editor \"%s\" cannot be started: %s", command(), strerror(code));
    if (WIFSIGNALED(status))
        return error_set(error, -EINTR, "the editor \"%s\" was ended by signal %d (%s)", command(), WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        return error_set(error, -ECANCELED, "the editor \"%s\" left with status %d", command(), WEXITSTATUS(status));
    return 0;
}

void editor_close(struct editor *editor, bool keep)
{
    if (editor->out)
        (void)fclose(editor->out);
    if (keep || !editor->folder[0])
        return;
    (void)unlink(editor->path);
    (void)rmdir(editor->folder); /* an editor may have left a file of its own there, which stays */
}
