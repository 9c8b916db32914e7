# Keeps local_domain and local_user in step with Postfix's own tables. Only rows with its note are its own. Needs
# perl-base alone. See gatepost-sync-postfix --help, and gatepost-sync-postfix(8).
use strict;
use warnings;

use Getopt::Long qw(GetOptions);

BEGIN {
    my ($here) = $0 =~ m{\A(.*)/};
    require "$here/$_.pl" for qw(run files gatepost postfix own_names sync);
}

use constant CHAIN_MAX => 20;    # aliases of aliases

my $help = <<'END';
usage: gatepost-sync-postfix [-c FOLDER] [--database FILE | --gatepost COMMAND]
                             [--only KIND] [--note TEXT] [--allow-empty] [--dry-run]
Keeps local_domain and local_user in step with what Postfix takes for its own:
mydestination, virtual and relay domains, accounts, and aliases of one account.
Rows of an administrator stay as they are.

  -c FOLDER           Postfix's configuration [that of postconf]
  --database FILE     the database of rules [that of gatepost]
  --gatepost COMMAND  gatepost, with options where it needs any; split at blanks
                      [gatepost]
  --only KIND         domain or user [both]
  --note TEXT         what marks the rows [from Postfix (gatepost-sync-postfix)]
  --allow-empty       delete the rows also where Postfix has nothing at all
  --dry-run           show what would change: + added, - removed, ~ changed
  --help

Exit status: 0 done, 1 nothing was found and the rows stay, 2 usage, 65 gatepost
refuses a row, 69 Postfix or gatepost cannot be asked.
END

my ($folder, $parameters, @unlisted);

# The entries of the tables of a parameter, the first of each key.
sub entries_of {
    my ($list, $command) = @_;
    my (%seen, @found);
    for my $table (list_words($parameters->{$list} // '')) {
        next if $table =~ /\A(?:proxy:)?unix:passwd\.byname\z/;
        $table = "$parameters->{default_database_type}:$table" if $table !~ /:/;
        my $fault;
        my @entries = table_entries($folder, $table, $command, \$fault);
        push @unlisted, {list => $list, table => $table, why => $fault} if $fault;
        push @found, grep { !$seen{lc $_->[0]}++ } @entries;
    }
    return @found;
}

# The addresses that an alias leads to; undef for what is no address: a command, a file, a list in a file.
sub targets_of {
    my ($text) = @_;
    my @targets;
    while ($text =~ /\G[\s,]*((?:"(?:\\.|[^"\\])*"|[^\s,"])+)/g) {
        my $target = $1;
        $target =~ s/"((?:\\.|[^"\\])*)"/$1 =~ s{\\(.)}{$1}gr/ge;
        return if $target =~ m{\A(?::include:|\||/|\\)};
        push @targets, $target;
    }
    return @targets;
}

# Local part, without quotes as gatepost compares it, and domain; Postfix appends its origin to what has none.
sub parts_of {
    my ($address, $origin) = @_;
    my ($local, $domain) = $address =~ /\A(.*)\@([^\@]*)\z/s ? ($1, canonical_domain($2)) : ($address, $origin);
    return (unquoted($local), $domain);
}

sub qualified { return join '@', parts_of(@_) }

# Whose alias the address is in the end: the account, or undef where that is nobody's, or of somebody elsewhere. An
# alias of several places is the account itself where it is one of them (a copy is kept), else nobody's.
sub account_of {
    my ($address, $alias, $own) = @_;
    for (1 .. CHAIN_MAX) {
        my $targets = $alias->{lc $address};
        return $own->{$address =~ s/.*\@//sr} ? $address : undef unless $targets;
        return $address if grep { lc eq lc $address } @$targets;
        return undef if @$targets != 1;
        $address = $targets->[0];
    }
    return undef;
}

# The names in mydestination, where the accounts and aliases of local(8) are.
sub destinations {
    my @names = domain_list($folder, 'mydestination', $parameters->{mydestination} // '', []);
    return grep { is_domain($_) && !/\A\./ } map { canonical_domain($_) } @names;
}

sub is_domain {
    my ($name) = @_;
    return scalar($name =~ /\A\.?[^\s\@*,\x00-\x1f\x7f]+\z/);
}

# All users, as address => account.
sub users_of {
    my ($own) = @_;
    my %own = map { $_ => 1 } @{$own->{local}};
    my @here = destinations();
    my ($origin) = map { canonical_domain($_) } domain_list($folder, 'myorigin', $parameters->{myorigin} // '', []);
    $origin = $here[0] // $parameters->{myhostname} unless defined $origin && grep { $_ eq $origin } @here;
    my (%alias, @accounts);

    my $add = sub {
        my ($key, $targets, @domains) = @_;
        $alias{lc "$key\@$_"} //= [map { qualified($_, $origin) } @$targets] for @domains;
    };
    for (entries_of('virtual_alias_maps', 'postmap')) {
        my ($key, $text) = @$_;
        my ($local, $domain) = parts_of($key, undef);
        next if $local eq '' || !defined $domain && $local =~ /\./ && $own{canonical_domain($local)};    # a whole domain
        $add->($local, [targets_of($text)], $domain // @here);
    }
    for (entries_of('alias_maps', 'postalias')) {
        my ($key, $text) = @$_;
        my @targets = targets_of($text);
        $add->($key, \@targets, @here);
    }
    push @accounts, map { $_->[0] } grep { $_->[0] =~ /\A[^\@]+\@/ } entries_of('virtual_mailbox_maps', 'postmap');
    my @names = map { $_->[0] } grep { $_->[0] !~ /\@/ } local_entries();
    for my $name (@names) {
        push @accounts, "$name\@$origin";
        $alias{lc "$name\@$_"} //= ["$name\@$origin"] for grep { $_ ne $origin } @here;
    }

    my %account = map { $_ => account_of($_, \%alias, \%own) } keys %alias;
    $account{lc $_} = lc $_ for grep { !$alias{lc $_} } map { qualified($_, $origin) } @accounts;
    return {map { ($_ => $account{$_}) } grep { defined $account{$_} } keys %account};
}

# The accounts of the system and what else local_recipient_maps has, without the aliases, which have their own map.
sub local_entries {
    my $text = $parameters->{local_recipient_maps} // '';
    my %aliases = map { $_ => 1 } list_words($parameters->{alias_maps} // '');
    my @found;
    if ($text =~ /(?:\A|[\s,])(?:proxy:)?unix:passwd\.byname(?:\z|[\s,])/) {
        my ($status, $out) = run_command(COMMAND_SECONDS, '', qw(getent passwd));
        push @unlisted, {list => 'local_recipient_maps', table => 'unix:passwd.byname', why => "getent: exit status $status"}
            if $status != 0;
        push @found, map { [$_, ''] } login_users([split /\n/, $out]);
    }
    local $parameters->{local_recipient_maps} = join ' ', grep { !$aliases{$_} } list_words($text);
    return (@found, entries_of('local_recipient_maps', 'postmap'));
}

# Which rows of last time may have come from a list that cannot be read now.
my %domains_of = map { $_ => 1 } qw(mydestination virtual_alias_domains virtual_mailbox_domains myorigin relay_domains);
my %came_from = (
    alias_maps => sub { my ($row, $here) = @_; return $here && $row->{rest} =~ /\baccount / },
    virtual_alias_maps => sub { my ($row) = @_; return $row->{rest} =~ /\baccount / },
    local_recipient_maps => sub { my ($row, $here) = @_; return $here },
    virtual_mailbox_maps => sub { my ($row, $here) = @_; return !$here && $row->{rest} !~ /\baccount / },
);

# Lines of rows that stay, as what they came from cannot be listed.
sub kept_lines {
    my ($gatepost, $kind, $note, $lists, $may_be) = @_;
    return unless @$lists;
    my $rows = rows_or_end($gatepost, $kind);
    my @kept = grep { my $row = $_; $row->{note} eq $note && grep { $may_be->($row, $_) } @$lists } @$rows;
    return map { [lc $_->{key}, line_of($_->{key}, $_->{rest} eq '' ? () : $_->{rest})] } @kept;
}

# Puts the lines of new rows and of those that stay together; a new one wins.
sub joined_lines {
    my ($new, @kept) = @_;
    return [(map { $new->{$_} } sort keys %$new), map { $_->[1] } grep { !exists $new->{$_->[0]} } @kept];
}

sub sync_domains {
    my ($gatepost, $own, $note, $options) = @_;
    my %line;
    for my $kind (qw(local relay)) {
        for my $name (@{$own->{$kind}}) {
            if (!is_domain($name)) {
                complain("left out, as it is no domain: $name");
                next;
            }
            $line{$name} = line_of($name, $kind eq 'relay' ? 'relay' : ());
        }
    }
    my @lists = grep { $domains_of{$_} } map { $_->{list} } @unlisted;
    my @kept = kept_lines($gatepost, 'domain', $note, \@lists, sub {
        my ($row, $list) = @_;
        return ($row->{rest} =~ /\Arelay\b/) == ($list eq 'relay_domains');
    });
    return sync_kind($gatepost, 'domain', $note, joined_lines(\%line, @kept), $options);
}

sub sync_users {
    my ($gatepost, $own, $note, $options) = @_;
    my $account = users_of($own);
    my %line = map { $_ => user_line($_, $account->{$_}) } sound_addresses('Postfix', sort keys %$account);
    my %here = map { ($_ => 1) } destinations();
    my @lists = grep { $came_from{$_} } map { $_->{list} } @unlisted;
    my @kept = kept_lines($gatepost, 'user', $note, \@lists, sub {
        my ($row, $list) = @_;
        return $came_from{$list}->($row, $here{$row->{key} =~ s/.*\@//sr});
    });
    return sync_kind($gatepost, 'user', $note, joined_lines(\%line, @kept), $options);
}

sub tell_unlisted {
    my %told;
    for (@unlisted) {
        complain("$_->{list}: $_->{table}: $_->{why}; its rows of last time stay") unless $told{"$_->{list} $_->{table}"}++;
    }
    return;
}

my ($database, $command, $only, $want_help);
my $note = 'from Postfix (gatepost-sync-postfix)';
my %options = (by => 'gatepost-sync-postfix');
Getopt::Long::Configure(qw(no_ignore_case bundling));
my $understood = GetOptions('c=s' => \$folder, 'database=s' => \$database, 'gatepost=s' => \$command, 'only=s' => \$only,
    'note=s' => \$note, 'allow-empty' => \$options{allow_empty}, 'dry-run' => \$options{dry_run},
    'help|h' => \$want_help);
if (!$understood || @ARGV || defined $database && defined $command || ($only // 'user') !~ /\A(?:domain|user)\z/
    || ($command // 'x') !~ /\S/ || $note !~ /\A\S(?:.*\S)?\z/) {
    print STDERR $help;
    exit EXIT_USAGE;
}
if ($want_help) {
    print $help;
    finish(0);
}

my $gatepost = gatepost_command($command, $database);
$parameters = postfix_parameters($folder, []);
my $own = own_names($folder, $parameters, \@unlisted);
my @statuses;
push @statuses, sync_domains($gatepost, $own, $note, \%options) if ($only // 'domain') eq 'domain';
push @statuses, sync_users($gatepost, $own, $note, \%options) if ($only // 'user') eq 'user';
tell_unlisted();
finish((sort { $b <=> $a } @statuses)[0]);
