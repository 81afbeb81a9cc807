-- Logins, as `relay` has them by default; what a view says depends on the connection that asks.
create table relay (email char(96), ipaddr char(46), timestamp int, unique (email, ipaddr));
insert into relay values ('a@b.c', '10.1.2.3', unix_timestamp());
create table friends like relay;
insert into friends values ('friend@b.c', '10.1.2.3', unix_timestamp());
create table both_layouts (email char(96), ipaddr char(46), ip_addr varchar(39), timestamp int);
insert into both_layouts values ('x@y.z', '10.9.9.9', '10.1.2.3', unix_timestamp());
create view compressed as select 'a@b.c' email, '10.1.2.3' ipaddr, unix_timestamp() timestamp
    from information_schema.session_status where variable_name = 'COMPRESSION' and variable_value = 'ON';
create view encrypted as select 'a@b.c' email, '10.1.2.3' ipaddr, unix_timestamp() timestamp
    from information_schema.session_status where variable_name = 'SSL_VERSION' and variable_value <> '';

-- Accounts.
create table indimail (pw_name char(40), pw_domain char(67), pw_passwd char(128), pw_gid int, primary key (pw_name, pw_domain));
create table indibak like indimail;
create table vpopmail like indimail;
create table accounts like indimail;
create table sleepers like indimail;
insert into indimail (pw_name, pw_domain, pw_gid) values
    ('user', 'test', 0), ('old', 'test', 512), ('full', 'test', 16), ('spread', 'real.example', 0), ('known', 'real.example', 0);
insert into vpopmail (pw_name, pw_domain, pw_gid) values ('popper', 'test', 0);
insert into accounts (pw_name, pw_domain, pw_gid) values ('second', 'test', 0);
insert into sleepers (pw_name, pw_domain, pw_gid) values ('sleeper', 'test', 0);
create table valias (alias char(40), domain char(67), valias_line char(190));
insert into valias values ('team', 'test', '&x@far.example');
create table vlimits (domain char(67) primary key, disable_smtp tinyint(1));
insert into vlimits values ('test', 1);
create table listed (email char(96));

-- The central database of a cluster.
create table aliasdomain (alias char(64) primary key, domain char(67));
insert into aliasdomain values ('test', 'real.example');
create table host_table (host char(64) primary key, ipaddr char(46));
insert into host_table values ('one.example', '10.0.0.1');
create table hostcntrl (pw_name char(40), pw_domain char(67), pw_passwd char(128), host char(64), primary key (pw_name, pw_domain));
create table whereabouts like hostcntrl;
insert into whereabouts (pw_name, pw_domain, host) values ('spread', 'real.example', 'one.example');
