# Reads Postfix's configuration, and says where it does not ask gatepost as it should. Changes nothing. Needs perl-base
# alone. See gatepost-check-postfix --help, and gatepost-check-postfix(8).
use strict;
use warnings;

use Getopt::Long qw(GetOptions);

BEGIN {
    my ($here) = $0 =~ m{\A(.*)/};
    require "$here/$_.pl" for qw(run files gatepost postfix own_names restrictions report check_lists check_service check_site);
}

use constant MAX_CONNECTIONS => 10000;    # what gatepostd takes by default

my $help = <<'END';
usage: gatepost-check-postfix [-c FOLDER] [--database FILE | --gatepost COMMAND]
                              [--endpoint ENDPOINT] [--daemon-config FILE]
Says where Postfix's configuration does not ask gatepost as it should, why that
matters, and which lines to change. Changes nothing.

  -c FOLDER             Postfix's configuration [that of postconf]
  --database FILE       the database of rules [that of gatepost]
  --gatepost COMMAND    gatepost, with options where it needs any; split at
                        blanks [gatepost]
  --endpoint ENDPOINT   the policy service that is gatepost, as main.cf names it
                        [found: the only one, port 10040, or named gatepost]
  --daemon-config FILE  for max_connections [/etc/gatepost/gatepost.conf]
  --dry-run             nothing more: this never changes anything
  --help

Exit status: 0 nothing was found, 1 there are findings, 2 usage, 69 postconf, or
the gatepost that was named, cannot be asked.
END

# The smtpd services of master.cf, each with what it overrides.
sub smtpd_services {
    my ($folder, $parameters) = @_;
    my %overrides;
    for (ask_postconf($folder, undef, '-P')) {
        push @{$overrides{$1}}, [$2, $3] if m{\A([^/]+(?:/.*)?/\w[\w-]*)/(\w+) = ?(.*)\z}s;
    }
    my $old = ($parameters->{compatibility_level} // 0) =~ /\A0/;
    my @found;
    for (ask_postconf($folder, undef, '-M')) {
        my ($name, $type, undef, undef, $chroot, undef, $most, $program) = split ' ';
        next unless ($program // '') eq 'smtpd';
        push @found, {service => "$name $type", name => "$name/$type", overrides => $overrides{"$name/$type"} // [],
            chroot => $chroot eq 'y' || $chroot eq '-' && $old, most => $most};
    }
    return @found;
}

# A service that nobody outside can reach, and that takes back what a filter has looked at.
sub reinjects {
    my ($service, $parameters) = @_;
    return scalar($service->{name} =~ m{\A(?:127\.[\d.]+|localhost|\[::1\]):} && @{$service->{overrides}}
        && ($parameters->{smtpd_relay_restrictions} // '') =~ /\Apermit_mynetworks[, ]+reject\z/);
}

# main.cf as it stands, then each service of master.cf with its overrides.
sub profiles_of {
    my ($folder, $parameters) = @_;
    my @profiles = ({name => 'main.cf', service => '', parameters => $parameters, overrides => {}});
    for my $service (smtpd_services($folder, $parameters)) {
        my @overrides = @{$service->{overrides}};
        my $own = @overrides ? postfix_parameters($folder, [map { "$_->[0]=$_->[1]" } @overrides]) : $parameters;
        my $most = $service->{most} eq '-' ? $own->{default_process_limit} : $service->{most};
        my $profile = {%$service, parameters => $own, overrides => {map { ($_->[0] => 1) } @overrides},
            processes => $most, reinjects => reinjects($service, $own)};
        push @profiles, $profile;
        note("$service->{name} may have any number of processes, each with connections to gatepost") if $most eq '0';
        note("$service->{name} is left alone: it takes mail back from a filter, and nobody else reaches it")
            if $profile->{reinjects};
    }
    return @profiles;
}

# The restriction classes: those that Postfix knows, and what it warns of as unused and could be meant for one.
sub classes_of {
    my ($parameters, $warnings) = @_;
    my %known = map { $_ => $parameters->{$_} } grep { ($parameters->{$_} // '') ne '' }
        list_words($parameters->{smtpd_restriction_classes} // '');
    my %unlisted = map { /unused parameter: (\w+)=(.+)/ ? ($1 => $2) : () } @$warnings;
    return (\%known, \%unlisted);
}

sub max_connections {
    my ($file, $named) = @_;
    my $fault;
    my @lines = file_lines($file, \$fault);
    give_up(EXIT_UNAVAILABLE, "$file: $fault") if $fault && $named;
    my ($most) = map { /\A\s*max_connections\s*=\s*"?(\d+)/ ? $1 : () } @lines;
    return $most // MAX_CONNECTIONS;
}

my ($folder, $database, $gatepost, @endpoints, $daemon_config, $dry_run, $want_help);
Getopt::Long::Configure(qw(no_ignore_case bundling));
my $understood = GetOptions('c=s' => \$folder, 'database=s' => \$database, 'gatepost=s' => \$gatepost,
    'endpoint=s' => \@endpoints, 'daemon-config=s' => \$daemon_config, 'dry-run' => \$dry_run,
    'help|h' => \$want_help);
if (!$understood || @ARGV || defined $database && defined $gatepost || defined $gatepost && $gatepost !~ /\S/) {
    print STDERR $help;
    exit EXIT_USAGE;
}
if ($want_help) {
    print $help;
    finish(0);
}

my @warnings;
my $parameters = postfix_parameters($folder, [], \@warnings);
my ($classes, $unlisted) = classes_of($parameters, \@warnings);
my $config = {folder => $folder, classes => $classes, unlisted_classes => $unlisted, tables => {}};
my @profiles = profiles_of($folder, $parameters);
$config->{profiles} = \@profiles;

my @all = find_services($config, map { my $p = $_; map { $p->{parameters}{$_} // '' } LISTS } @profiles);
my @services = choose_services(\@all, @endpoints);
$config->{services} = \@services;
$config->{endpoint} = $services[0] ? $services[0]{endpoint} : $endpoints[0] // 'inet:127.0.0.1:10040';
($config->{class}) = grep { class_asks($config, $_) } sort keys %$classes;
($config->{class}) = grep { $unlisted->{$_} =~ /\Q$config->{endpoint}\E/ } sort keys %$unlisted
    unless defined $config->{class};
$config->{class} //= 'gatepost';

my $main = $profiles[0];
if (!@services) {
    found($main, 'not-asked', 'Postfix asks no policy service that is gatepost', @all
        ? 'It asks ' . join(', ', map { $_->{endpoint} } @all) . '; if one of these is gatepost, name it with --endpoint.'
        : 'No rule has any effect.', definition($config));
}
found_unlisted($config, $main, $_)
    for grep { my $class = $_; grep { $unlisted->{$class} =~ /\Q$_->{text}\E/ } @services } sort keys %$unlisted;
check_lists($config, $_) for @profiles;
check_service($config, $main, $_) for @services;
check_capacity($config, max_connections($daemon_config // '/etc/gatepost/gatepost.conf', defined $daemon_config));
check_bare_newline($_) for @profiles;
my $fault = check_site($config, $main, gatepost_command($gatepost, $database));
if (defined $fault) {
    give_up(EXIT_UNAVAILABLE, "gatepost cannot be asked: $fault") if defined $gatepost || defined $database;
    note("local domains, closed lists and the archive were not looked at: $fault");
}
finish(print_report());
