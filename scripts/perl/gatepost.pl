# Asking gatepost. Part of the scripts that read or change rules. Needs run.pl.
use strict;
use warnings;

use constant GATEPOST_SECONDS => 600;    # it waits for whoever holds the database

# The command line that the options --gatepost and --database stand for.
sub gatepost_command {
    my ($words, $database) = @_;
    my @command = split ' ', $words // 'gatepost';
    return [@command, defined $database ? ('--database', $database) : ()];
}

# The rows of a kind that are in force or to come, each {key, rest, note}; undef and a message in $$fault where gatepost
# cannot be asked.
sub gatepost_rows {
    my ($gatepost, $kind, $fault) = @_;
    my ($status, $out, $err) = run_command(GATEPOST_SECONDS, '', @$gatepost, 'list', $kind);
    if ($status != 0) {
        ($$fault) = $err =~ /([^\n]+)/;
        $$fault //= "$gatepost->[0]: exit status $status";
        return;
    }
    return [grep { $_->{rest} !~ /(?:\A| )expired / } map { row_of($_) } split /\n/, $out];
}

sub rows_or_end {
    my ($gatepost, $kind) = @_;
    my $fault;
    return gatepost_rows($gatepost, $kind, \$fault) // give_up(EXIT_UNAVAILABLE, "gatepost cannot be asked: $fault");
}

# A line of gatepost list. Its note comes last, and may hold anything.
sub row_of {
    my ($line) = @_;
    my ($key, $rest, $note) =
        $line =~ /\A\w+ +("(?:\\.|[^"\\])*"|\S+)((?: +(?!\#)(?:"(?:\\.|[^"\\])*"|\S+))*)(?: \# (.*))?\z/s
        or return;
    $rest =~ s/\A //;
    return {key => unquoted($key), rest => $rest, note => unquoted($note // '')};
}

sub unquoted {
    my ($word) = @_;
    return $word unless $word =~ /\A"(.*)"\z/s;
    my $inner = $1;
    $inner =~ s/\\(.)/$1/gs;
    return $inner;
}

# A word as the plain format of lists wants it.
sub quoted {
    my ($word) = @_;
    return $word if $word =~ /\A[^\s#;"\\]+\z/;
    $word =~ s/(["\\])/\\$1/g;
    return qq("$word");
}

# The settings and their values.
sub gatepost_settings {
    my ($gatepost, $fault) = @_;
    my ($status, $out, $err) = run_command(GATEPOST_SECONDS, '', @$gatepost, 'get');
    ($$fault) = $err =~ /([^\n]+)/ if $status != 0;
    return map { /\A(\w+) +("(?:\\.|[^"\\])*")/ ? ($1 => unquoted($2)) : () } split /\n/, $out;
}

1;
