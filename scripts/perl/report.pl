# The findings of gatepost-check-postfix, and how they are printed. Needs run.pl.
use strict;
use warnings;

my (@findings, %finding, @notes);

# A finding in a profile: a stable code, what is wrong, why that matters, and how to mend it: commands, or parameters as
# [name, value]. The same finding in a service that only inherits it is not told again.
sub found {
    my ($profile, $code, $what, $why, @fixes) = @_;
    my $finding = $finding{"$code $what"};
    if (!$finding) {
        $finding = $finding{"$code $what"} = {code => $code, what => $what, why => $why, places => [], fixes => [], seen => {}};
        push @findings, $finding;
    }
    my @added = grep { !$finding->{seen}{$_->[0] . $_->[1]}++ } map { fix_in($profile, $_) } @fixes;
    push @{$finding->{places}}, $profile->{name} if @added || !@{$finding->{places}};
    push @{$finding->{fixes}}, @added;
    return;
}

# Where the line goes, and the line.
sub fix_in {
    my ($profile, $fix) = @_;
    return ['Run:', $fix] unless ref $fix;
    my ($name, $value) = @$fix;
    return ["In master.cf, below the line of $profile->{service}:", "  -o { $name =" . ($value eq '' ? ' }' : " $value }")]
        if $profile->{overrides}{$name};
    return ['In main.cf:', $value eq '' ? "$name =" : "$name = $value"];
}

# Something to know that is no fault.
sub note {
    my ($text) = @_;
    push @notes, $text unless grep { $_ eq $text } @notes;
    return;
}

# Text in lines of at most 100 characters, indented but for what stands in front.
sub wrapped {
    my ($front, $text) = @_;
    my @lines = ($front);
    for my $word (split ' ', $text) {
        push @lines, '   ' if length($lines[-1]) + length($word) >= 100;
        $lines[-1] .= " $word";
    }
    return printable(join '', map { "$_\n" } @lines);
}

# The lines to change stand at the beginning of theirs, ready to be pasted: main.cf takes a blank there for a
# continuation.
sub print_report {
    for my $finding (@findings) {
        print printable("$finding->{code}: $finding->{what}"),
            ($finding->{places}[0] eq 'main.cf' && @{$finding->{places}} == 1 ? '' : " (@{$finding->{places}})"), "\n";
        print wrapped('   ', $finding->{why});
        my %told;
        for my $where (grep { !$told{$_}++ } map { $_->[0] } @{$finding->{fixes}}) {
            print printable("    $where\n"), map { printable("$_->[1]\n") } grep { $_->[0] eq $where } @{$finding->{fixes}};
        }
        print "\n";
    }
    print wrapped('note:', $_) for @notes;
    print @findings == 0 ? "Nothing found.\n" : @findings == 1 ? "1 finding.\n" : scalar(@findings) . " findings.\n";
    return @findings > 0 ? EXIT_REFUSED : 0;
}

1;
