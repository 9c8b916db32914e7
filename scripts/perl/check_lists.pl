# What gatepost-check-postfix asks of the lists of restrictions. Needs restrictions.pl and report.pl.
use strict;
use warnings;

use constant LISTS => qw(smtpd_client_restrictions smtpd_helo_restrictions smtpd_sender_restrictions
    smtpd_relay_restrictions smtpd_recipient_restrictions smtpd_data_restrictions smtpd_end_of_data_restrictions
    smtpd_etrn_restrictions);

# Looks at all lists of a profile: main.cf, or a service of master.cf with what it overrides.
sub check_lists {
    my ($config, $profile) = @_;
    my %list = map { $_ => [restrictions_of($profile->{parameters}{$_} // '')] } LISTS;
    $_->{asks} = asks_gatepost($config, $_) for map { @$_ } values %list;
    check_names($config, $profile, $_, $list{$_}) for LISTS;
    check_relay($config, $profile, \%list);
    check_command($config, $profile, 'smtpd_data_restrictions', 'DATA', \%list);
    check_command($config, $profile, 'smtpd_etrn_restrictions', 'ETRN', \%list);
    check_helpless($profile, \%list);
    return;
}

sub is_asking { return grep { $_->{asks} } @_ }

sub names_of { return join ', ', map { $_->{name} } @_ }

# The list as it should be: gatepost first, no permit_mynetworks, a guard behind.
sub mended_relay {
    my ($config, @list) = @_;
    my ($asking) = is_asking(@list);
    my @rest = grep { !$_->{asks} && !$_->{wrong} && $_->{name} ne 'permit_mynetworks' } @list;
    push @rest, {text => 'reject_unauth_destination'} unless grep { is_guard($_) } @rest;
    return join ', ', $asking ? $asking->{text} : "check_recipient_access static:$config->{class}",
        map { $_->{text} } @rest;
}

sub check_relay {
    my ($config, $profile, $list) = @_;
    my @relay = @{$list->{smtpd_relay_restrictions}};
    my $mended = ['smtpd_relay_restrictions', mended_relay($config, @relay)];
    my ($first) = grep { $relay[$_]{asks} } 0 .. $#relay;
    if (defined $first) {
        check_order($profile, 'smtpd_relay_restrictions', $mended, @relay[0 .. $first]);
        check_guard($profile, $mended, $list);
        my $table = $relay[$first]{asks}{table};
        note("gatepost is asked about those recipients only that $table leads to it; static:$relay[$first]{asks}{class}"
            . ' leads all') if defined $table && $table !~ /\Astatic:/;
    } elsif (!grep { $_->{wrong} } @relay) {
        check_unasked($profile, $mended, $list);
    }
    check_mynetworks($profile, $mended) if grep { $_->{name} eq 'permit_mynetworks' } @relay;
    return;
}

# What stands before the restriction that asks, which comes last.
sub check_order {
    my ($profile, $name, $mended, @list) = @_;
    pop @list;
    my @guards = grep { is_guard($_) } @list;
    my @permits = grep { is_permit($_) } @list;
    found($profile, 'after-guard', "$name asks gatepost behind " . names_of(@guards),
        'What gatepost would let relay has been refused before it is asked.', $mended) if @guards;
    found($profile, 'after-permit', "$name asks gatepost behind " . names_of(@permits),
        'Whoever is permitted there passes without being asked about: no denied client, killed sender, limit or list'
        . ' holds for them.', $mended) if @permits;
    return;
}

sub check_guard {
    my ($profile, $mended, $list) = @_;
    return if grep { is_guard($_) } @{$list->{smtpd_relay_restrictions}};
    my $elsewhere = grep { is_guard($_) } @{$list->{smtpd_recipient_restrictions}};
    found($profile, 'no-guard', 'smtpd_relay_restrictions has no reject_unauth_destination as its last guard',
        $elsewhere
        ? 'The one in smtpd_recipient_restrictions also refuses those whom gatepost has let relay: an OK ends only the'
            . ' list that it stands in.'
        : 'When gatepost has no opinion (DUNNO), nothing else keeps outsiders from relaying; smtpd does not even start.',
        $mended);
    return;
}

sub check_unasked {
    my ($profile, $mended, $list) = @_;
    if (is_asking(@{$list->{smtpd_recipient_restrictions}})) {
        my @relay = @{$list->{smtpd_relay_restrictions}};
        found($profile, 'recipient-only',
            'gatepost is asked in smtpd_recipient_restrictions, not in smtpd_relay_restrictions',
            @relay
            ? 'An OK there does not override smtpd_relay_restrictions: those who may relay are refused all the same.'
            : 'An OK there lets the client past all that stands behind it in that list, such as filters against spam.',
            $mended, without_asking('smtpd_recipient_restrictions', $list));
        return;
    }
    my $why = 'Nobody is refused or let relay by the rules.';
    for my $other (qw(smtpd_client_restrictions smtpd_helo_restrictions smtpd_sender_restrictions)) {
        next unless is_asking(@{$list->{$other}});
        $why = "It is asked in $other, where an OK lets nobody relay.";
    }
    return if $profile->{reinjects};
    found($profile, 'not-in-relay', 'smtpd_relay_restrictions does not ask gatepost', $why, $mended);
    return;
}

sub without_asking {
    my ($name, $list) = @_;
    return [$name, join ', ', map { $_->{text} } grep { !$_->{asks} } @{$list->{$name}}];
}

sub check_mynetworks {
    my ($profile, $mended) = @_;
    return if $profile->{reinjects};
    my @blocks = map { s/[\[\]]//gr } grep { /\A[\[\d]/ } list_words($profile->{parameters}{mynetworks} // '');
    found($profile, 'mynetworks', 'smtpd_relay_restrictions has permit_mynetworks',
        'Whatever gatepost\'s relay_grant says, clients in mynetworks may relay as well. Grant those that should, and'
        . ' take it out.', @blocks ? 'gatepost add grant ' . join(' ', @blocks) : (), $mended);
    return;
}

# DATA and ETRN.
sub check_command {
    my ($config, $profile, $name, $command, $list) = @_;
    my @list = @{$list->{$name}};
    my @asking = is_asking(@list);
    my @useful = grep { $_->{asks}{by} ne 'check_recipient_access' } @asking;
    my $own = $config->{class};
    my @rest = grep { !$_->{asks} && !$_->{wrong} } @list;
    my $mended = [$name, join ', ', $own, map { $_->{text} } @rest];
    if (@useful) {
        my ($at) = grep { $list[$_]{asks} } 0 .. $#list;
        check_order($profile, $name, $mended, @list[0 .. $at]);
    } elsif (@asking) {
        found($profile, lc "$command-recipient", "$name asks gatepost through check_recipient_access",
            $command eq 'ETRN' ? 'ETRN has no recipient: gatepost is never asked.'
            : 'At DATA there is a recipient only where the message has just one: limits and archive copies miss the rest.',
            $mended);
    } elsif (!(grep { $_->{wrong} } @list) && !$profile->{reinjects}) {
        found($profile, lc "$command-missing", "$name does not ask gatepost",
            $command eq 'ETRN' ? 'ETRN is open to everybody, whatever refuse_vrfy says.'
            : 'max_recipients and archive_to have no effect.', $mended);
    }
    return;
}

# Where asking is of no use.
sub check_helpless {
    my ($profile, $list) = @_;
    my $delayed = ($profile->{parameters}{smtpd_delay_reject} // 'yes') eq 'yes';
    my %use = (smtpd_client_restrictions => !$delayed, smtpd_sender_restrictions => !$delayed,
        smtpd_etrn_restrictions => 1, smtpd_data_restrictions => 1, smtpd_relay_restrictions => 1,
        smtpd_recipient_restrictions => !is_asking(@{$list->{smtpd_relay_restrictions}}));
    for my $name (grep { !$use{$_} && is_asking(@{$list->{$_}}) } LISTS) {
        found($profile, 'no-help', "$name asks gatepost",
            $name eq 'smtpd_helo_restrictions' || $name eq 'smtpd_end_of_data_restrictions'
            ? 'gatepost decides nothing at this point: it costs a question, and changes nothing.'
            : $name eq 'smtpd_recipient_restrictions'
            ? 'smtpd_relay_restrictions has asked already; an OK here lets the client past all that stands behind it, such as'
                . ' filters against spam.'
            : 'With smtpd_delay_reject = yes this list is asked at each recipient, as smtpd_relay_restrictions is: it'
                . ' costs a second question, and an OK here lets nobody relay.',
            without_asking($name, $list));
    }
    note('smtpd_delay_reject = no: "smtpd_client_restrictions = ..." with gatepost in it would refuse denied clients at'
        . ' the greeting') if !$delayed && !is_asking(@{$list->{smtpd_client_restrictions}});
    return;
}

my $known = qr/\A(?:permit|reject|defer|check_|warn_if_reject|sleep\z|table\z|\d+\z)/;
my $actions = qr/\A(?:OK|REJECT|DUNNO|DEFER\w*|BCC|DISCARD|FILTER|HOLD|INFO|PREPEND|REDIRECT|WARN|\d+)\z/i;

# Restriction classes that Postfix does not know, and tables that name the service itself.
sub check_names {
    my ($config, $profile, $name, $list) = @_;
    for my $restriction (@$list) {
        my ($used, $argument) = @$restriction{qw(name argument)};
        if ($used !~ $known && !exists $config->{classes}{$used}) {
            $restriction->{wrong} = 1;
            found_unknown($config, $profile, $used, "$name names $used", $name, $list);
        }
        next unless $used =~ /\Acheck_\w+_access\z|\Atable\z/;
        my @words = table_words($config, $argument);
        if (grep { $_ eq 'check_policy_service' } @words) {
            $restriction->{wrong} = 1;
            found($profile, 'table-service', "$name: the table $argument names check_policy_service",
                'Postfix refuses that: the client gets 451 at each recipient. A table can name a restriction class.',
                definition($config), [$name, $name eq 'smtpd_relay_restrictions' ? mended_relay($config, @$list)
                    : $config->{class}]);
            next;
        }
        my ($first) = $argument =~ /\Astatic:/ ? @words : ();
        ($first) = grep { exists $config->{unlisted_classes}{$_} } @words unless defined $first;
        next if !defined $first || $first =~ $known || $first =~ $actions || exists $config->{classes}{$first};
        $restriction->{wrong} = 1;
        found_unknown($config, $profile, $first, "$name: the table $argument names $first", $name, $list);
    }
    return;
}

sub found_unknown {
    my ($config, $profile, $class, $what, $name, $list) = @_;
    return found_unlisted($config, $profile, $class) if exists $config->{unlisted_classes}{$class};
    my @rest = map { $_->{text} } grep { !$_->{wrong} } @$list;
    return found($profile, 'class-undefined', "$what, which is no restriction and no restriction class",
        'Postfix answers 451 wherever it meets that name.', $class eq $config->{class} ? definition($config)
        : [$name, $name eq 'smtpd_relay_restrictions' ? mended_relay($config, @$list) : join ', ', @rest]);
}

sub found_unlisted {
    my ($config, $profile, $class) = @_;
    return found($profile, 'class-unlisted', "smtpd_restriction_classes does not list $class, which is defined",
        'Postfix answers 451 wherever it meets that name.', classes_with($config, $class));
}

sub classes_with {
    my ($config, $class) = @_;
    my %all = map { $_ => 1 } $class, keys %{$config->{classes}};
    return ['smtpd_restriction_classes', join ', ', sort keys %all];
}

1;
