# Mail addresses from LDIF, as directories export it. Part of gatepost-sync-users. Needs run.pl.
use strict;
use warnings;

# Pairs of an address and its account: mail is the account, or else the primary one of proxyAddresses; all other
# addresses of the entry are its aliases.
sub from_ldif {
    my ($text, $path) = @_;
    my @pairs;
    $text =~ s/\r\n/\n/g;
    my $number = 0;
    for my $entry (split /\n(?=\n)/, $text) {
        my ($blank) = $entry =~ /\A(\n*)/;
        my $first = $number + 1 + length $blank;
        $number += 1 + ($entry =~ tr/\n//);
        push @pairs, addresses_of_entry($entry, "$path:$first");
    }
    return @pairs;
}

sub addresses_of_entry {
    my ($entry, $where) = @_;
    $entry =~ s/\n //g;    # a line that begins with a blank continues the one above
    my (@mail, @primary, @aliases);
    for my $line (grep { $_ ne '' && !/\A#/ } split /\n/, $entry) {
        my ($name, $value) = attribute_of($line, $where);
        if ($name eq 'mail') {
            push @mail, $value;
        } elsif ($name eq 'mailalternateaddress') {
            push @aliases, $value;
        } elsif ($name eq 'proxyaddresses' && $value =~ s/\A(smtp)://i) {    # in capitals: the primary one
            push @{$1 eq 'SMTP' ? \@primary : \@aliases}, $value;
        }
    }
    my @all = grep { $_ ne '' } @mail, @primary, @aliases;
    return map { [$_, $all[0]] } @all;
}

# Name and value of a line; options of the name (mail;lang-en) are dropped.
sub attribute_of {
    my ($line, $where) = @_;
    my ($name, $kind, $value) = $line =~ /\A([A-Za-z0-9.-]+)(?:;[^:]*)?:([:<]?) *(.*)\z/s
        or give_up(EXIT_DATA, "$where: not LDIF: " . substr $line, 0, 60);
    $name = lc $name;
    give_up(EXIT_DATA, "$where: a record of changes (changetype), where an export is wanted") if $name eq 'changetype';
    return ($name, $value =~ s/ +\z//r) if $kind eq '';
    return ($name, '') unless $name =~ /\A(?:mail|mailalternateaddress|proxyaddresses)\z/;
    give_up(EXIT_DATA, "$where: $name is read from a URL, which is not followed") if $kind eq '<';
    give_up(EXIT_DATA, "$where: $name is not base64") if $value !~ m{\A[A-Za-z0-9+/]*={0,2} *\z};
    return ($name, from_base64($value));
}

# Base64 by way of uuencoding, which perl-base can read: the same bits, in other letters and in lines with a length.
sub from_base64 {
    my ($text) = @_;
    $text =~ tr{A-Za-z0-9+/}{}cd;
    my $bytes = int(length($text) * 3 / 4);
    $text =~ tr{A-Za-z0-9+/}{ -_};
    my $found = join '', map { unpack 'u', chr(32 + int(length($_) * 3 / 4)) . $_ } $text =~ /.{1,60}/gs;
    return substr $found, 0, $bytes;
}

1;
