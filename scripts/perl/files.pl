# Reading files. Part of the scripts that do. Needs run.pl.
use strict;
use warnings;

use constant TEXT_MAX_BYTES => 1 << 28;

# The lines of a file of words, without remarks.
sub file_lines {
    my ($path, $fault) = @_;
    if (-e $path && !-f _) {    # opening a pipe would wait
        $$fault = 'not a file';
        return;
    }
    open my $file, '<', $path or do { $$fault = "$!"; return };
    return grep { !/\A\s*#/ } <$file>;
}

# The contents of a file, or of standard input (-). What is no file may go on without end, so there is a limit.
sub text_of {
    my ($path) = @_;
    my $file = \*STDIN;
    if ($path ne '-') {
        give_up(EXIT_UNAVAILABLE, "$path: not a file") if -e $path && !-f _;
        open $file, '<', $path or give_up(EXIT_UNAVAILABLE, "$path: $!");
    }
    my $text = '';
    while (1) {
        my $n = read($file, $text, 1 << 20, length $text) // give_up(EXIT_UNAVAILABLE, "$path: $!");
        last unless $n;
        give_up(EXIT_DATA, "$path: larger than " . TEXT_MAX_BYTES . ' bytes') if length $text > TEXT_MAX_BYTES;
    }
    return $text;
}

1;
