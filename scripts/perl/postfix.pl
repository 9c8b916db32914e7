# Postfix's configuration as postconf tells it: parameters, services, lists and tables. Part of the scripts that read
# it. Needs run.pl and files.pl.
use strict;
use warnings;

# All parameters, with what they refer to put in, as they are with these overrides (name=value). What postconf warns of
# is put into @$warnings, where that is given.
sub postfix_parameters {
    my ($folder, $overrides, $warnings) = @_;
    my %value;
    for (ask_postconf($folder, $warnings, '-x', map { ('-o', $_) } @$overrides)) {
        $value{$1} = $2 if /\A(\S+) = ?(.*)\z/;
    }
    return \%value;
}

# The lines that postconf prints.
sub ask_postconf {
    my ($folder, $warnings, @options) = @_;
    my ($status, $out, $err) =
        run_command(COMMAND_SECONDS, '', 'postconf', defined $folder ? ('-c', $folder) : (), @options);
    if ($status != 0) {
        $err =~ s/\s+\z//;
        give_up(EXIT_UNAVAILABLE, 'postconf cannot be asked: ' . ($err =~ /([^\n]*)\z/)[0]);
    }
    push @$warnings, split /\n/, $err if $warnings;
    return split /\n/, $out;
}

# The words of a list: what is separated by blanks or commas, braces kept together with what they hold.
sub list_words {
    my ($text) = @_;
    my @words;
    while ($text =~ /\G[\s,]*((?:(\{(?:[^{}]++|(?2))*+\})|[^\s,{]++|\{)+)/g) {
        push @words, $1;
    }
    return @words;
}

# What stands between braces; other words as they are.
sub unbraced {
    my ($word) = @_;
    return $word =~ /\A\{\s*(.*?)\s*\}\z/s ? $1 : $word;
}

# The types whose entries postmap -s prints. Some may be missing in this Postfix, which it then says.
my %listable;

# The entries of a table, as pairs; of what cannot be listed none, and $$fault says why. $command is postmap or
# postalias.
sub table_entries {
    my ($folder, $table, $command, $fault) = @_;
    %listable = map { $_ => 1 } qw(hash btree lmdb cdb dbm sdbm texthash inline internal) unless %listable;
    my ($type, $name) = $table =~ /\A(\w+):(.*)\z/s;
    ($type, $table) = ($1, $name) if $type eq 'proxy' && $name =~ /\A(\w+):/;    # without the server in between
    if (!$listable{$type}) {
        $$fault = "tables of type $type cannot be listed";
        return;
    }
    my ($status, $out, $err) =
        run_command(COMMAND_SECONDS, '', $command, defined $folder ? ('-c', $folder) : (), '-s', $table);
    if ($status != 0) {
        ($$fault) = $err =~ /fatal: ([^\n]*)/;
        $$fault //= "$command: exit status $status";
        return;
    }
    $$fault = undef;
    $out =~ s/^([^\t\n]*):\t/$1\t/gm if $command eq 'postalias';    # as in the file of aliases
    return map { [split /\t/, $_, 2] } grep { /\t/ && !/\A(?:YP_|\@\t)/ } split /\n/, $out;
}

1;
