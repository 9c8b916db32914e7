# What gatepost-check-postfix asks of the policy service: its options, whether smtpd reaches it, whether it can take as
# many connections. Needs restrictions.pl and report.pl.
use strict;
use warnings;

use Socket qw(AF_UNIX SOCK_STREAM inet_pton pack_sockaddr_in pack_sockaddr_in6 pack_sockaddr_un AF_INET AF_INET6);

use constant {
    TIMEOUT_MIN     => 2,     # seconds: a look-up of logins may take half of one, and a busy machine more
    TIMEOUT_MAX     => 30,    # Postfix waits twice as long before it goes on, and the client with it
    CONNECT_SECONDS => 5,
    PATH_MAX_BYTES  => 107,   # of a unix socket
    DEFAULT_ACTION  => '451 4.3.0 Policy service unavailable',
};

sub recommended_argument {
    my ($endpoint) = @_;
    return "{ $endpoint, timeout=10s, { default_action = ${\DEFAULT_ACTION} } }";
}

# The lines that define the restriction class, where there is none yet.
sub definition {
    my ($config) = @_;
    return if exists $config->{classes}{$config->{class}};
    return (classes_with($config, $config->{class}),
        [$config->{class}, 'check_policy_service ' . recommended_argument($config->{endpoint})]);
}

sub check_service {
    my ($config, $profile, $service) = @_;
    my %options = %{$service->{options}};
    my $line = service_line($config, $profile, $service);
    found($profile, 'service-options', "the policy service has what is no option: @{$service->{malformed}}",
        'smtpd ends at once, whenever it starts. A value with blanks needs braces around the option.', $line)
        if @{$service->{malformed}};
    note("In \"default_action=$options{default_action}\" the inner braces become part of the value: Postfix up to 3.7"
        . " answers 451 4.3.5 and warns of an unknown restriction. Braces around the whole option are understood:"
        . " { default_action = ${\DEFAULT_ACTION} }") if grep { $_ eq 'default_action' } @{$service->{inner}};
    my $action = $options{default_action} // $profile->{parameters}{smtpd_policy_service_default_action} // '';
    check_default_action($profile, unbraced($action), $line) unless @{$service->{malformed}};
    check_timeout($profile, $options{timeout}, $line);
    check_endpoint($config, $profile, $service, $line);
    return;
}

# The parameter that names the service, with a service as it should be: a class, or else a list.
sub service_line {
    my ($config, $profile, $service) = @_;
    my $mended = recommended_argument($service->{endpoint});
    for my $class (sort keys %{$config->{classes}}) {
        return [$class, "check_policy_service $mended"] if names_service($config->{classes}{$class}, $service);
    }
    for my $list (grep { names_service($profile->{parameters}{$_} // '', $service) } LISTS) {
        return [$list, $profile->{parameters}{$list} =~ s/\Q$service->{text}\E/$mended/gr];
    }
    return [$config->{class}, "check_policy_service $mended"];
}

sub names_service {
    my ($text, $service) = @_;
    return scalar grep { $_->{name} eq 'check_policy_service' && $_->{argument} eq $service->{text} } restrictions_of($text);
}

sub check_default_action {
    my ($profile, $action, $line) = @_;
    if ($action =~ /\A(?:OK|PERMIT\w*|\d*)\z/i) {
        found($profile, 'default-permits', "while the service is away, default_action \"$action\" permits",
            'Everybody may relay then. (Postfix takes an empty action and one of digits alone for OK.)', $line);
    } elsif ($action =~ /\A(?:DUNNO|PREPEND|WARN|INFO|HOLD|FILTER|BCC|REDIRECT|DISCARD)\b/i) {
        found($profile, 'default-permits', "while the service is away, default_action \"$action\" lets mail pass",
            'Denied clients and killed senders get through then.', $line);
    } elsif ($action =~ /\A(?:REJECT\b|5|DEFER_IF_PERMIT\b)/i) {
        found($profile, 'default-refuses', "while the service is away, default_action \"$action\" refuses for good",
            'Mail bounces then that could wait. (DEFER_IF_PERMIT in front of reject_unauth_destination is permanent.)',
            $line);
    }
    return;
}

sub check_timeout {
    my ($profile, $timeout, $line) = @_;
    my $default = $profile->{parameters}{smtpd_policy_service_timeout} // '100s';
    my %seconds = (s => 1, m => 60, h => 3600, d => 86400, w => 604800, '' => 1);
    my ($number, $unit) = ($timeout // $default) =~ /\A(\d+)([smhdw]?)\z/ or return;
    my $within = $number * $seconds{$unit};
    if ($within > TIMEOUT_MAX) {
        found($profile, 'timeout', defined $timeout ? "the policy service has timeout=$timeout"
            : "the policy service has no timeout of its own, so that of smtpd_policy_service_timeout holds: $default",
            'If it hangs, each client waits twice as long, and holds a smtpd.', $line);
    } elsif ($within < TIMEOUT_MIN) {
        found($profile, 'timeout', "the policy service has a timeout of $within s",
            'A busy machine answers later than that now and then, and mail is deferred without need.', $line);
    }
    return;
}

sub check_endpoint {
    my ($config, $profile, $service, $line) = @_;
    my $endpoint = $service->{endpoint};
    if (my ($host, $port) = $endpoint =~ /\Ainet:(.*):([^:]+)\z/) {
        my $bare = $host =~ s/\A\[|\]\z//gr;
        if (!defined inet_pton(AF_INET, $bare) && !defined inet_pton(AF_INET6, $bare)) {
            found($profile, 'host-name', "the policy service is named by a host name: $endpoint",
                'A name that cannot be looked up is fatal to smtpd: no mail at all is taken then. Use an address.',
                [$line->[0], $line->[1] =~ s/\Q$endpoint\E/inet:127.0.0.1:$port/r]);
            return;
        }
        my $fault = connect_fault(undef, $bare, $port);
        found_silent($profile, $endpoint, $fault) if $fault;
    } elsif ($endpoint =~ /\Aunix:(.*)\z/) {
        check_socket($config, $profile, $service, $1, $line);
    } else {
        found($profile, 'endpoint', "the policy service \"$endpoint\" is neither inet:address:port nor unix:path",
            'smtpd cannot ask it.', [$line->[0], $line->[1] =~ s/\Q$endpoint\E/inet:127.0.0.1:10040/r]);
    }
    return;
}

sub found_silent {
    my ($profile, $endpoint, $fault) = @_;
    return found($profile, 'nobody-listens', "nobody answers at $endpoint: $fault",
        'Every recipient is deferred while that is so.', 'gatepostd --check', 'systemctl status gatepostd');
}

# A socket is looked up from the queue folder, and from within it by a smtpd in a chroot.
sub check_socket {
    my ($config, $profile, $service, $path, $line) = @_;
    my $queue = $profile->{parameters}{queue_directory};
    my @chrooted = grep { $_->{chroot} && asked_by($config, $_, $service) } @{$config->{profiles}};
    if ($path =~ m{\A/} && @chrooted) {
        my $below = $path =~ m{\A\Q$queue\E/(.+)} ? $1 : 'private/gatepost';
        found($profile, 'socket-outside-chroot',
            "the socket unix:$path is not there for smtpd in its chroot (@{[map { $_->{service} } @chrooted]})",
            "master.cf has them in a chroot of $queue. A path below that folder, without it, is right for all; the daemon"
            . " is told where to listen with: listen = {\"unix:$queue/$below\"}",
            [$line->[0], $line->[1] =~ s/\Qunix:$path\E/unix:$below/r]);
        return;
    }
    my $real = $path =~ m{\A/} ? $path : "$queue/$path";
    my $fault = connect_fault($profile->{parameters}{mail_owner}, $real);
    if (!$fault) {
        return;
    } elsif ($fault =~ /Permission denied/) {
        found($profile, 'socket-mode', "user $profile->{parameters}{mail_owner} cannot reach $real: $fault",
            'smtpd runs as that user. Each folder of the path must let it in, and the socket be writable for it'
            . ' (socket_mode and socket_group of gatepost.conf).', "namei -l $real");
    } elsif ($fault ne 'unknown') {
        found_silent($profile, "unix:$real", $fault);
    } else {
        note("whether smtpd can reach $real can be told by root only");
    }
    return;
}

# Connects to host and port or to a path, as $user where that is given and we may. Returns why it fails, or ''. Nothing
# is sent.
sub connect_fault {
    my ($user, $where, $port) = @_;
    my $out = scratch_file();
    defined(my $child = fork) or give_up(EXIT_UNAVAILABLE, "fork: $!");
    if (!$child) {
        alarm CONNECT_SECONDS;
        my $fault = become($user) // try_connect($where, $port);
        print $out $fault;
        $out->flush;
        POSIX::_exit(0);
    }
    waitpid $child, 0;
    return $? ? 'it does not take the connection' : contents_of($out);
}

# Becomes the user. Returns what is wrong then, undef where nothing is.
sub become {
    my ($user) = @_;
    return undef unless defined $user;
    return 'unknown' if $> != 0;
    my (undef, undef, $uid, $gid) = getpwnam $user or return "there is no user $user";
    $) = "$gid $gid";
    POSIX::setgid($gid);
    POSIX::setuid($uid);
    return $> == $uid ? undef : "cannot become $user";
}

sub try_connect {
    my ($where, $port) = @_;
    my ($family, $address);
    if (!defined $port) {
        return 'longer than the path of a socket can be' if length $where > PATH_MAX_BYTES;
        ($family, $address) = (AF_UNIX, pack_sockaddr_un($where));
    } elsif ($port !~ /\A\d+\z/ && !defined($port = getservbyname $port, 'tcp')) {
        return 'no such port';
    } elsif ($where =~ /:/) {
        ($family, $address) = (AF_INET6, pack_sockaddr_in6($port, inet_pton(AF_INET6, $where)));
    } else {
        ($family, $address) = (AF_INET, pack_sockaddr_in($port, inet_pton(AF_INET, $where)));
    }
    socket(my $socket, $family, SOCK_STREAM, 0) or return "$!";
    return connect($socket, $address) ? '' : "$!";
}

# Each smtpd holds a connection for each distinct text of a service that it asks.
sub check_capacity {
    my ($config, $most) = @_;
    my $wanted = 0;
    for my $profile (grep { $_->{processes} } @{$config->{profiles}}) {
        my $texts = grep { asked_by($config, $profile, $_) } @{$config->{services}};
        $wanted += $texts * $profile->{processes};
    }
    return if $wanted <= $most;
    found($config->{profiles}[0], 'connections', "smtpd may hold $wanted connections to gatepost, which takes $most",
        'Those above are refused, and their mail deferred. Either master.cf (maxproc) and default_process_limit allow'
        . " fewer, or gatepost.conf more: max_connections = $wanted");
    return;
}

sub asked_by {
    my ($config, $profile, $service) = @_;
    my $text = join ', ', map { $profile->{parameters}{$_} // '' } LISTS;
    return 1 if names_service($text, $service);
    return scalar grep { $text =~ /\b\Q$_\E\b/ && names_service($config->{classes}{$_}, $service) }
        keys %{$config->{classes}};
}

1;
