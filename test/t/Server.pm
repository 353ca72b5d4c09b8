# What the tests that need a server of their own share: how to get one.
package Server;
use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(new_server server_settings has_extension);

# With them a server finds the extension that is staged.
sub server_settings
{
	return slurp_file($ENV{IAMWATCH_SETTINGS}) =~ s/^(listen|unix).*$//mgr;
}

# Options: those of init(), and conf, more lines of postgresql.conf.
sub new_server
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%options);
	$node->append_conf('postgresql.conf', server_settings());
	$node->append_conf('postgresql.conf', $options{conf} // '');
	$node->start;
	return $node;
}

# Is the extension installed in the server under test?
sub has_extension
{
	my ($name) = @_;
	return -f `"$ENV{PG_CONFIG}" --sharedir` =~ s/\s+$//r . "/extension/$name.control";
}

1;
