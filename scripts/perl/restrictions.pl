# Lists of restrictions, and where in them a policy service is asked. Part of gatepost-check-postfix. Needs postfix.pl.
use strict;
use warnings;

# What takes the next word as its argument.
my $takes_word = qr/\A(?:check_policy_service|check_\w+_access|reject_(?:rbl|rhsbl_\w+|multi_\w+_mx)\w*|permit_dnswl_client
    |permit_rhswl_client|sleep|check_\w+_maps)\z/x;

# What lets a client relay, or a command pass, without the restrictions behind it.
my $permits = qr/\A(?:permit|permit_mynetworks|permit_sasl_authenticated|permit_tls_(?:all_)?clientcerts
    |permit_inet_interfaces|permit_auth_destination|permit_mx_backup|permit_naked_ip_address|permit_dnswl_client
    |permit_rhswl_client)\z/x;

# What ends a list for everybody who may not relay.
my $guards = qr/\A(?:reject_unauth_destination|defer_unauth_destination|reject|defer|check_relay_domains)\z/;

sub is_permit { return $_[0]{name} =~ $permits }
sub is_guard  { return $_[0]{name} =~ $guards }

# Says whether gatepost is this service; see find_services.
my %is_gatepost;

# The restrictions of a list, each {name, argument, text}.
sub restrictions_of {
    my ($text) = @_;
    my @words = list_words($text);
    my @found;
    while (@words) {
        my $name = shift @words;
        if ($name eq 'warn_if_reject' && @words) {    # what comes next decides nothing
            my ($tried, @rest) = restrictions_of(join ' ', @words);
            push @found, {name => $name, argument => '', text => "$name $tried->{text}"}, @rest;
            last;
        } elsif ($name =~ /\A\w+:/) {    # a table alone, as lists of old have it: check_client_access and the like
            push @found, {name => 'table', argument => $name, text => $name};
        } elsif ($name =~ $takes_word && @words) {
            my $argument = shift @words;
            push @found, {name => $name, argument => $argument, text => "$name $argument"};
        } else {
            push @found, {name => $name, argument => '', text => $name};
        }
    }
    return @found;
}

# How the restriction asks gatepost: {by => 'service'}, {by => 'class', class => name}, or {by => 'check_…_access' …}
# with the class it leads to. Nothing where it does not.
sub asks_gatepost {
    my ($config, $restriction, %within) = @_;
    my ($name, $argument) = @$restriction{qw(name argument)};
    return {by => 'service'} if $name eq 'check_policy_service' && $is_gatepost{service_of($argument)->{endpoint}};
    if ($name =~ /\Acheck_\w+_access\z|\Atable\z/) {
        for my $class (table_words($config, $argument)) {
            next unless class_asks($config, $class, %within);
            return {by => $name, class => $class, table => $argument};
        }
        return;
    }
    return {by => 'class', class => $name} if class_asks($config, $name, %within);
    return;
}

sub class_asks {
    my ($config, $class, %within) = @_;
    my $text = $config->{classes}{$class};
    return if !defined $text || $within{$class};
    return scalar grep { asks_gatepost($config, $_, %within, $class => 1) } restrictions_of($text);
}

# The words that an access table has on its right side, as far as they can be seen.
sub table_words {
    my ($config, $table) = @_;
    my $seen = $config->{tables}{$table} //= [map { list_words($_) } table_results($config, $table)];
    return @$seen;
}

sub table_results {
    my ($config, $table) = @_;
    my ($type, $name) = $table =~ /\A(?:proxy:)?(\w+):(.*)\z/s or return;
    return unbraced($name) if $type eq 'static';
    return map { /=\s*(.*)\z/s ? $1 : () } map { unbraced($_) } list_words(unbraced($name)) if $type eq 'inline';
    if ($name =~ m{\A/} && $type =~ /\A(?:cidr|regexp|pcre|texthash)\z/) {
        my $fault;
        return map { /\A\s*\S+\s+(.*)/ ? $1 : () } file_lines($name, \$fault);
    }
    my $fault;
    return map { $_->[1] } table_entries($config->{folder}, $table, 'postmap', \$fault);
}

# A policy service as check_policy_service names it: {endpoint, text, options => {}, malformed => [words]}.
sub service_of {
    my ($argument) = @_;
    my ($endpoint, @options) = $argument =~ /\A\{/ ? list_words(unbraced($argument)) : ($argument);
    my %service = (endpoint => $endpoint // '', text => $argument, options => {}, malformed => [], inner => []);
    for my $option (@options) {
        my ($name, $value) = unbraced($option) =~ /\A\s*(\w+)\s*=\s*(.*?)\s*\z/s;
        if (!defined $value || $value eq '') {
            push @{$service{malformed}}, $option;
            next;
        }
        $service{options}{$name} = $value;
        push @{$service{inner}}, $name if $value =~ /\A\{/;
    }
    return \%service;
}

# Every policy service that a list, a class or a table of these profiles names.
sub find_services {
    my ($config, @texts) = @_;
    my %found;
    for my $text (@texts, values %{$config->{classes}}, values %{$config->{unlisted_classes}}) {
        $found{$_->{argument}} //= service_of($_->{argument})
            for grep { $_->{name} eq 'check_policy_service' && $_->{argument} ne '' } restrictions_of($text);
    }
    return map { $found{$_} } sort keys %found;
}

# Which of these are gatepost: those at the endpoints that were named; else those that look like it; else, where only
# one is asked, that one.
sub choose_services {
    my ($services, @named) = @_;
    my %endpoints = map { $_->{endpoint} => 1 } @$services;
    my @chosen = grep { my $endpoint = $_; grep { $_ eq $endpoint } @named } keys %endpoints;
    @chosen = grep { /gatepost|:10040\z/ } keys %endpoints unless @named || @chosen;
    @chosen = keys %endpoints unless @named || @chosen || keys %endpoints != 1;
    %is_gatepost = map { $_ => 1 } @chosen;
    return grep { $is_gatepost{$_->{endpoint}} } @$services;
}

1;
