# What gatepost-check-postfix asks of the rest of main.cf, beside the rules: the site's own names, closed lists, the
# archive. Needs gatepost.pl, postfix.pl and report.pl.
use strict;
use warnings;

use constant NAMES_A_LINE => 8;

sub check_bare_newline {
    my ($profile) = @_;
    my $value = $profile->{parameters}{smtpd_forbid_bare_newline};
    if (!defined $value) {
        note('this Postfix does not know smtpd_forbid_bare_newline: a newer one of its release does');
    } elsif ($value !~ /\A(?:normalize|yes|reject)\z/) {
        found($profile, 'bare-newline', "smtpd_forbid_bare_newline is $value",
            'The text of a message can smuggle in a second one, which has the rights of the client that passed the first'
            . ' on.', ['smtpd_forbid_bare_newline', 'normalize']);
    }
    return;
}

# All that needs the rules.
sub check_site {
    my ($config, $profile, $gatepost) = @_;
    my $fault;
    my $domains = gatepost_rows($gatepost, 'domain', \$fault);
    my $lists = gatepost_rows($gatepost, 'list', \$fault);
    my %setting = gatepost_settings($gatepost, \$fault);
    return $fault if defined $fault;
    check_domains($config, $profile, $domains, $setting{local_sender_auth} eq 'yes');
    for my $one (grep { !$_->{reinjects} } @{$config->{profiles}}) {
        check_reports($one, $lists, $setting{list_remote_mail});
        check_archive($one, $setting{archive_to}) if $setting{archive_to} ne '';
    }
    return;
}

sub check_domains {
    my ($config, $profile, $rows, $local_sender_auth) = @_;
    my %kind = map { canonical_domain($_->{key}) => $_->{rest} =~ /\Arelay\b/ ? 'relay' : 'local' } @$rows;
    my @unlisted;
    my $own = own_names($config->{folder}, $profile->{parameters}, \@unlisted);
    note("$_->{list} has $_->{table}: $_->{why}, so its domains were not compared with local_domain") for @unlisted;
    my @foreign = grep { /[^\x21-\x7e]/ } map { @$_ } values %$own;
    note('not compared with local_domain, as it is not ASCII: ' . join ' ', @foreign) if @foreign;
    for my $is (qw(local relay)) {
        my @names = grep { !/[^\x21-\x7e]/ } @{$own->{$is}};
        my @lacking = grep { !defined kind_of_name(\%kind, $_) } @names;
        found($profile, "domain-$is", "local_domain lacks what Postfix takes for "
            . ($is eq 'local' ? 'its own' : 'a domain to relay to') . ': ' . first_names(@lacking),
            ($is eq 'local' ? 'Senders there count as foreign. ' : '') . 'As soon as local_domain has a row, recipients there'
            . ' are refused. (To keep the two in step: gatepost-sync-postfix.)', add_commands($is, @lacking)) if @lacking;
        my @other = grep { (kind_of_name(\%kind, $_) // $is) ne $is } @names;
        found($profile, "domain-kind-$is", 'local_domain has with the other kind: ' . first_names(@other),
            $is eq 'local' ? 'Senders there are not taken for local ones.'
            : 'Senders there are taken for local ones: with relay_for = local-hosts whoever forges one may relay.',
            turn_commands($is, @other)) if @other;
    }
    check_masquerading($profile, \%kind) if $local_sender_auth;
    return;
}

# The kind of a name: its own row, or the longest .domain above it.
sub kind_of_name {
    my ($kind, $name) = @_;
    return $kind->{$name} if exists $kind->{$name};
    while ($name =~ s/\A\.?[^.]+(\..+)\z/$1/) {
        return $kind->{$name} if exists $kind->{$name};
    }
    return undef;
}

sub check_masquerading {
    my ($profile, $kind) = @_;
    my @hidden = grep { !defined kind_of_name($kind, $_) }
        map { '.' . canonical_domain($_) } grep { !/\A[\/!]|:/ } list_words($profile->{parameters}{masquerade_domains} // '');
    found($profile, 'masquerading', 'local_domain lacks what masquerade_domains makes ours: ' . first_names(@hidden),
        'Postfix shortens boss@any.example.com to boss@example.com after gatepost was asked: local_sender_auth lets it pass'
        . ' from outside. (Hosts below it are then ours also as recipients.)', add_commands('local', @hidden)) if @hidden;
    return;
}

sub first_names {
    my @names = @_;
    return join(' ', @names[0 .. 4]) . ' and ' . (@names - 5) . ' more' if @names > 6;
    return "@names";
}

sub shell_word {
    my ($word) = @_;
    return $word =~ /\A[\w.:\@%+,\/-]+\z/ ? $word : "'" . $word =~ s/'/'\\''/gr . "'";
}

sub add_commands {
    my ($kind, @names) = @_;
    my @commands;
    while (my @some = splice @names, 0, NAMES_A_LINE) {
        push @commands, join ' ', 'gatepost add domain', $kind eq 'relay' ? '--relay' : (), map { shell_word($_) } @some;
    }
    return @commands;
}

sub turn_commands {
    my ($kind, @names) = @_;
    return map { ('gatepost remove domain ' . shell_word($_), add_commands($kind, $_)) } @names;
}

# A list is closed where it says so, or the setting does for it.
sub check_reports {
    my ($profile, $lists, $remote_mail) = @_;
    my @closed = grep { ($_->{rest} =~ /\bremote_mail (\w+)/ ? $1 : $remote_mail) eq 'no' } @$lists;
    my $value = $profile->{parameters}{smtpd_discard_ehlo_keywords} // '';
    return if !@closed || grep { lc eq 'dsn' } list_words($value);
    found($profile, 'dsn', 'outsiders can have reports sent to a closed list: ' . first_names(map { $_->{key} } @closed),
        'Who asks for a report of success (DSN) is sent one, to whatever sender was named: the list.',
        ['smtpd_discard_ehlo_keywords', join ', ', list_words($value), 'dsn']);
    return;
}

sub check_archive {
    my ($profile, $archive_to) = @_;
    my $proxy = $profile->{parameters}{smtpd_proxy_filter} // '';
    found($profile, 'archive-proxy', "archive_to is set, and smtpd_proxy_filter = $proxy",
        'With a proxy in front of the queue, smtpd cannot add a recipient: no copy is made. Let the proxy make it, or'
        . ' use content_filter.', ['smtpd_proxy_filter', '']) if $proxy ne '';
    note("archive_to is $archive_to: if a copy cannot be delivered, the sender gets a bounce that shows this address");
    return;
}

1;
