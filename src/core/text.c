#include "core/text.h"

/* U+2028 to U+202E and U+2066 to U+2069: what some viewers take for a line end, or show in another order. */
static bool is_misleading(const unsigned char *p)
{
    return p[0] == 0xe2 &&
           ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

size_t text_harmless_length(struct str rest)
{
    if (rest.n == 0)
        return 0;
    const unsigned char *p = (const unsigned char *)rest.p;
    size_t n = p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : 0;
    if (n == 0 || n > rest.n || (p[0] == 0xc2 && p[1] < 0xa0))
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool beyond = (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf4 && p[1] >= 0x90);
    return overlong || beyond || (n == 3 && is_misleading(p)) ? 0 : n;
}

bool text_is_harmless(struct str text)
{
    for (size_t i = 0, n; i < text.n; i += n) {
        bool is_ascii = (unsigned char)text.p[i] < 0x80 && !ascii_is_control(text.p[i]);
        n = is_ascii ? 1 : text_harmless_length(str_from(text, i));
        if (n == 0)
            return false;
    }
    return true;
}
