# Tells gatepostd of every session that Dovecot has open, so that whoever stays logged in for longer than
# pop_before_smtp can go on sending. For a timer, as a user who may ask doveadm and write to the login socket. Needs
# perl-base alone. See gatepost-refresh-logins --help, and doc/dovecot.md.
use strict;
use warnings;

use Getopt::Long qw(GetOptions);
use Socket qw(AF_UNIX SOCK_STREAM pack_sockaddr_un);

use constant {
    EXIT_PARTLY      => 1,
    EXIT_USAGE       => 2,
    EXIT_UNAVAILABLE => 69,
    BATCH            => 100,      # events that go out before their replies are read; they fit in the socket's buffer
    WAIT_SECONDS     => 10,       # for doveadm, for the connection, and for the replies to a batch
    REPLY_MAX_BYTES  => 65536,
    PATH_MAX_BYTES   => 107,      # of a unix socket
    SHOWN            => 5,        # events that are named, of those that were not taken
};

my $help = <<'END';
usage: gatepost-refresh-logins [--socket PATH] [--doveadm COMMAND] [--dry-run]
Reports the sessions that Dovecot has open to gatepostd, as if they had just begun.

  --socket PATH      the daemon's login socket [/run/gatepost/login]
  --doveadm COMMAND  doveadm, with options where it needs any; split at blanks [doveadm]
  --dry-run          print what would be reported: user, address, service
  --help

Exit status: 0 all was taken, 1 some was rejected or is kept for later, 2 usage,
69 doveadm or the daemon cannot be asked.
END

sub complain {
    print STDERR "gatepost-refresh-logins: @_\n";
}

sub unavailable {
    complain(@_);
    exit EXIT_UNAVAILABLE;
}

# Runs the code, and ends all if it takes too long; a child that is waited for then is killed first.
my $child;

sub within_time {
    my ($who, $code) = @_;
    local $SIG{ALRM} = sub {
        kill 'KILL', $child if $child;
        unavailable("$who does not answer within " . WAIT_SECONDS . ' seconds');
    };
    alarm WAIT_SECONDS;
    my @found = $code->();
    alarm 0;
    return @found;
}

# The lines of `doveadm -f tab who -1`: one a session.
sub doveadm_who {
    my @command = (split(' ', shift), qw(-f tab who -1));
    return within_time($command[0], sub {
        no warnings 'exec';    # said below
        $child = open(my $out, '-|', @command) or unavailable("$command[0]: $!");
        my @lines = <$out>;
        close $out or unavailable("$command[0]: " . ($! ? $! : 'exit status ' . ($? >> 8)));
        undef $child;
        return @lines;
    });
}

# What is to be reported: user, address and service, each user and address once. The first line may name the columns.
sub events_of {
    my @lines = @_;
    my (@events, %seen);
    chomp @lines;
    my @columns = split /\t/, @lines && $lines[0] =~ /\Ausername\t/ ? shift @lines : "username\tproto\tpid\tip";
    for my $line (@lines) {
        my @values = split /\t/, $line, -1;
        my %session;
        @session{@columns} = @values;
        my ($user, $address, $service) = map { $_ // '' } @session{qw(username ip proto)};
        next if @values == @columns && ($user eq '' || $address eq '');
        if (@values != @columns || "$user$address$service" =~ /[\x00-\x1f\x7f]/) {
            $line =~ s/[\x00-\x1f\x7f]/?/g;
            complain("passed over, malformed or with control characters: $line");
            next;
        }
        push @events, [$user, $address, $service] unless $seen{"$user\n$address"}++;
    }
    return @events;
}

sub connect_to {
    my ($path) = @_;
    unavailable("$path: longer than the path of a socket can be") if length $path > PATH_MAX_BYTES;
    socket(my $daemon, AF_UNIX, SOCK_STREAM, 0) or unavailable("socket: $!");
    within_time($path, sub { connect($daemon, pack_sockaddr_un($path)) or unavailable("$path: $!") });
    return $daemon;
}

sub request_of {
    return sprintf "request=gatepost_login\nuser=%s\nclient_address=%s\nservice=%s\n\n", @_;
}

sub send_all {
    my ($daemon, $bytes, $path) = @_;
    while (length $bytes) {
        my $n = syswrite($daemon, $bytes) // unavailable("$path: $!");
        substr($bytes, 0, $n, '');
    }
}

# The next reply, without its action=. $$rest holds what has been read beyond it.
sub read_reply {
    my ($daemon, $rest, $path) = @_;
    my $end;
    while (($end = index $$rest, "\n\n") < 0) {
        unavailable("$path: a reply that does not end") if length $$rest > REPLY_MAX_BYTES;
        my $n = sysread($daemon, $$rest, REPLY_MAX_BYTES, length $$rest) // unavailable("$path: $!");
        unavailable("$path: the connection was closed") unless $n;
    }
    my $reply = substr $$rest, 0, $end + 2, '';
    return $1 if $reply =~ /\Aaction=((?:OK|DEFER|REJECT)(?: [^\n]*)?)\n\n\z/;
    unavailable("$path: a reply that is none of gatepostd's");
}

# Reports the events over one connection. Returns those that were not taken, each with its reply.
sub report {
    my ($path, @events) = @_;
    my ($rest, @others) = ('');
    my $daemon = connect_to($path);
    while (my @batch = splice @events, 0, BATCH) {
        within_time($path, sub {
            send_all($daemon, join('', map { request_of(@$_) } @batch), $path);
            for my $event (@batch) {
                my $reply = read_reply($daemon, \$rest, $path);
                push @others, [@$event, $reply] unless $reply =~ /\AOK/;
            }
        });
    }
    return @others;
}

my ($socket, $doveadm, $dry_run, $want_help) = ('/run/gatepost/login', 'doveadm');
$SIG{PIPE} = 'IGNORE';
my $understood = GetOptions('socket=s' => \$socket, 'doveadm=s' => \$doveadm, 'dry-run' => \$dry_run,
    'help|h' => \$want_help);
if (!$understood || @ARGV || $doveadm !~ /\S/) {
    print STDERR $help;
    exit EXIT_USAGE;
}
if ($want_help) {
    print $help;
    exit;
}

my @events = events_of(doveadm_who($doveadm));
if ($dry_run) {
    print "@$_\n" for @events;
    exit;
}
exit unless @events;

my @others = report($socket, @events);
exit unless @others;
for my $other (grep { defined } @others[0 .. SHOWN - 1]) {
    my ($user, $address, $service, $reply) = @$other;
    $reply =~ s/[\x00-\x1f\x7f]/?/g;
    complain("$user $address $service: $reply");
}
my $deferred = grep { $_->[3] =~ /\ADEFER/ } @others;
complain(sprintf '%d of %d events: %d rejected, %d kept for later', scalar @others, scalar @events, @others - $deferred,
    $deferred);
exit EXIT_PARTLY;
