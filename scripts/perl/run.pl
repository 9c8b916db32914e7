# Messages, exit statuses, and running other programs within a time. Part of each script in Perl.
use strict;
use warnings;

use IO::Handle ();
use POSIX ();

use constant {
    EXIT_REFUSED     => 1,
    EXIT_USAGE       => 2,
    EXIT_DATA        => 65,
    EXIT_UNAVAILABLE => 69,
    EXIT_IO          => 74,
    COMMAND_SECONDS  => 60,    # for a program that should answer at once
};

$SIG{PIPE} = 'IGNORE';    # a closed pipe is then an error of the write, and reported

# What other programs print may hold anything; a terminal gets none of what could steer it, and UTF-8 alone.
sub printable {
    my ($text) = @_;
    if (utf8::decode($text)) {
        $text =~ s/[\x00-\x08\x0b-\x1f\x7f-\x9f]/?/g;
        utf8::encode($text);
    } else {
        $text =~ s/[\x00-\x08\x0b-\x1f\x7f-\xff]/?/g;
    }
    return $text;
}

sub complain {
    my ($name) = $0 =~ m{([^/]*)\.pl\z};
    print STDERR printable("gatepost-$name: @_") . "\n";
}

sub give_up {
    my ($status, @words) = @_;
    complain(@words);
    exit $status;
}

# Runs a command to its end, with $input on its standard input. Returns its exit status (256 and more: it did not
# exit), its standard output, and its standard error. What takes longer than $seconds is killed, and ends all.
sub run_command {
    my ($seconds, $input, @command) = @_;
    my ($in, $out, $err) = map { scratch_file() } 1 .. 3;
    print $in $input;
    seek $in, 0, 0 or give_up(EXIT_UNAVAILABLE, "scratch file: $!");
    defined(my $child = fork) or give_up(EXIT_UNAVAILABLE, "fork: $!");
    if (!$child) {
        $SIG{PIPE} = 'DEFAULT';
        open STDIN,  '<&', $in  or POSIX::_exit(126);
        open STDOUT, '>&', $out or POSIX::_exit(126);
        open STDERR, '>&', $err or POSIX::_exit(126);
        no warnings 'exec';    # said here
        exec { $command[0] } @command;
        print STDERR "$command[0]: $!\n";
        STDERR->flush;
        POSIX::_exit(127);
    }
    local $SIG{ALRM} = sub {
        kill 'KILL', $child;
        give_up(EXIT_UNAVAILABLE, "$command[0] does not answer within $seconds seconds");
    };
    alarm $seconds;
    waitpid $child, 0;
    my $status = $?;
    alarm 0;
    return ($status & 127 ? 256 + ($status & 127) : $status >> 8, contents_of($out), contents_of($err));
}

# A file that has no name, for as long as it is open.
sub scratch_file {
    open my $file, '+>', undef or give_up(EXIT_UNAVAILABLE, "scratch file: $!");
    return $file;
}

sub contents_of {
    my ($file) = @_;
    seek $file, 0, 0 or give_up(EXIT_UNAVAILABLE, "scratch file: $!");
    local $/;
    return readline($file) // '';
}

# Makes sure that all that was printed got there.
sub finish {
    my ($status) = @_;
    close STDOUT or give_up(EXIT_IO, "standard output: $!");
    exit $status;
}

1;
