# The names that Postfix takes for its own. Part of the scripts that compare them with local_domain. Needs postfix.pl.
use strict;
use warnings;

use Socket ();

# The names in a parameter that lists domains: names, files of names, and tables whose keys are names. What cannot be
# listed is added to @$unlisted, as {list, table, why}.
sub domain_list {
    my ($folder, $list, $text, $unlisted) = @_;
    our %reading;    # the files that led here
    my @names;
    for my $word (list_words($text)) {
        next if $word =~ /\A!/;
        if ($word =~ m{\A/}) {
            my $fault;
            my @lines = $reading{$word} ? () : file_lines($word, \$fault);
            push @$unlisted, {list => $list, table => $word, why => $fault} if $fault;
            local $reading{$word} = 1;
            push @names, domain_list($folder, $list, join(' ', @lines), $unlisted);
        } elsif ($word =~ /\A\w+:/ && $word !~ /\A\[/) {
            my $fault;
            my @entries = table_entries($folder, $word, 'postmap', \$fault);
            push @$unlisted, {list => $list, table => $word, why => $fault} if $fault;
            push @names, grep { /\./ && !/@/ } map { $_->[0] } @entries;    # virtual_alias_maps has users among them
        } else {
            push @names, $word;
        }
    }
    return @names;
}

# Whether a domain of this list is also every host below it.
sub matches_subdomains {
    my ($parameters, $list) = @_;
    return scalar grep { $_ eq $list } list_words($parameters->{parent_domain_matches_subdomains} // '');
}

# The site's own domains by what gatepost calls their kind: {local => [...], relay => [...]}, each once.
sub own_domains {
    my ($folder, $parameters, $unlisted) = @_;
    my (%kind, @local, @relay);
    for my $list (qw(mydestination virtual_mailbox_domains virtual_alias_domains)) {
        push @local, domain_list($folder, $list, $parameters->{$list} // '', $unlisted);
    }
    for my $name (domain_list($folder, 'relay_domains', $parameters->{relay_domains} // '', $unlisted)) {
        push @relay, $name;
        push @relay, ".$name" if $name !~ /\A[.\[]/ && matches_subdomains($parameters, 'relay_domains');
    }
    $kind{canonical_domain($_)} //= 'local' for @local;
    $kind{canonical_domain($_)} //= 'relay' for @relay;
    delete $kind{''};
    my %found = (local => [], relay => []);
    push @{$found{$kind{$_}}}, $_ for sort keys %kind;
    return \%found;
}

# As gatepost compares it, as far as ASCII goes.
sub canonical_domain {
    my ($name) = @_;
    $name =~ s/\.\z//;
    return lc $name;
}

# All names that Postfix takes for its own: those domains, and the names and addresses of the host. By kind, as above.
sub own_names {
    my ($folder, $parameters, $unlisted) = @_;
    my $own = own_domains($folder, $parameters, $unlisted);
    my @more = ($parameters->{myhostname}, 'localhost', own_literals($parameters),
        domain_list($folder, 'myorigin', $parameters->{myorigin} // '', $unlisted),
        grep { !/\A[\/!]|:/ } list_words($parameters->{masquerade_domains} // ''));
    my %local = map { canonical_domain($_) => 1 } @{$own->{local}}, grep { defined } @more;
    return {local => [sort keys %local], relay => [grep { !$local{$_} } @{$own->{relay}}]};
}

# The addresses of this host on which it receives mail, as domains.
sub own_literals {
    my ($parameters) = @_;
    my @words = map { list_words($parameters->{$_} // '') } qw(inet_interfaces proxy_interfaces);
    my %address;
    for my $word (@words) {
        my $loopback = $word =~ /\A(?:loopback-only|localhost)\z/;
        my @all = $word eq 'all' ? host_addresses() : $loopback ? ('127.0.0.1', '::1') : $word =~ s/\A\[|\]\z//gr;
        $address{$_} = 1 for @all;
    }
    my %protocol = map { $_ => 1 } list_words($parameters->{inet_protocols} // 'all');
    return map { /:/ ? "[ipv6:$_]" : "[$_]" } grep { $protocol{all} || $protocol{/:/ ? 'ipv6' : 'ipv4'} }
        grep { /\A\d+(?:\.\d+){3}\z|:/ } sort keys %address;
}

# As the kernel has them; those of a link alone are left out.
sub host_addresses {
    my (@found, $last);
    for (proc_lines('/proc/net/fib_trie')) {
        $last = $1 if /\|-- (\S+)/;
        push @found, $last if m{/32 host LOCAL};
    }
    for (proc_lines('/proc/net/if_inet6')) {
        next unless /\A([0-9a-f]{32}) \S+ \S+ (\S+)/ && $2 ne '20';
        push @found, Socket::inet_ntop(Socket::AF_INET6(), pack 'H32', $1);
    }
    return @found;
}

sub proc_lines {
    my ($path) = @_;
    open my $file, '<', $path or return;
    return <$file>;
}

1;
