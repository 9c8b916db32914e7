# Rows that a script keeps in step with something else: they have its note, and no others are touched. Part of the
# scripts that do so. Needs gatepost.pl and files.pl.
use strict;
use warnings;

use constant SHOWN => 5;    # of what was left out, by name

# Makes the rows of a kind that have the note those of @$lines, in one transaction, by the differences alone. Each line
# is one of the plain format. $options: dry_run, allow_empty, by, and wants_some where nothing is never right. Returns an
# exit status.
sub sync_kind {
    my ($gatepost, $kind, $note, $lines, $options) = @_;
    my $rows = rows_or_end($gatepost, $kind);
    my $owned = grep { $_->{note} eq $note } @$rows;
    return 0 if !@$lines && !$owned && !$options->{wants_some};
    if (!@$lines && !$options->{allow_empty}) {
        complain("nothing was found for $kind" . ($owned ? ", and the $owned rows of last time stay. If nothing is right,"
            . ' --allow-empty deletes them' : ''));
        return EXIT_REFUSED;
    }
    my ($status, $out, $err) = run_command(GATEPOST_SECONDS, join('', map { "$_\n" } @$lines), @$gatepost,
        '--by', $options->{by}, 'import', $kind, '-', qw(--from plain --replace --note), $note,
        $options->{dry_run} ? '--dry-run' : ());
    print STDERR printable($err);
    return $status > 255 ? EXIT_UNAVAILABLE : $status if $status != 0;
    print map { printable("$kind: $_\n") } split /\n/, $out if $options->{dry_run} || $out =~ /(?:added|changed|removed)/
        && $out !~ /: 0 added(?:, \d+ (?:there already|left to whom they belong|repeated))*$/m;
    return 0;
}

# A row as a line of the plain format.
sub line_of {
    my ($key, @words) = @_;
    return join ' ', quoted($key), @words;
}

sub user_line {
    my ($address, $account) = @_;
    return line_of($address, defined $account && $account ne $address ? ('account', quoted($account)) : ());
}

# Sorts out what no rule can hold, and tells of it.
sub sound_addresses {
    my ($what, @addresses) = @_;
    my (@sound, @others);
    push @{/\A[^\@\x00-\x1f\x7f]+(?:\@[^\@\x00-\x20\x7f*,]+)?\z/ ? \@sound : \@others}, $_ for @addresses;
    complain("$what: left out, as it is no address: $_") for grep { defined } @others[0 .. SHOWN - 1];
    complain("$what: " . (@others - SHOWN) . ' more were left out') if @others > SHOWN;
    return @sound;
}

# The users that log in, from lines of passwd(5): those with an id as login.defs has it for people.
sub login_users {
    my ($lines, $least, $most) = @_;
    my %limit = (UID_MIN => 1000, UID_MAX => 60000);
    my $fault;
    for (file_lines('/etc/login.defs', \$fault)) {
        $limit{$1} = $2 if /\A\s*(UID_MIN|UID_MAX)\s+(\d+)/;
    }
    $least //= $limit{UID_MIN};
    $most //= $limit{UID_MAX};
    return map { /\A([^:]+):[^:]*:(\d+):/ && $2 >= $least && $2 <= $most ? $1 : () } @$lines;
}

1;
