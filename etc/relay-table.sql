-- The table of POP before SMTP for MySQL and MariaDB, and who may do what with it; relaydb(5). Take one of the two layouts.
-- A site that has the table of IndiMail or vpopmail keeps it as it is.
--
--   mariadb < relay-table.sql
--
-- Change the database's name, the hosts and both passwords first.

CREATE DATABASE IF NOT EXISTS indimail;
USE indimail;

-- IndiMail's layout: a user may relay from an address.
CREATE TABLE IF NOT EXISTS relay (
  email CHAR(96) NOT NULL,
  ipaddr CHAR(46) NOT NULL,
  timestamp INT,
  UNIQUE KEY (email, ipaddr),
  KEY (ipaddr),
  KEY (timestamp)
);

-- vpopmail's layout (5.6.4 and later): everybody may relay from an address.
-- CREATE TABLE IF NOT EXISTS relay (
--   ip_addr VARCHAR(39) NOT NULL PRIMARY KEY,
--   timestamp INT
-- );
-- An older one has room for 18 octets, too few for most IPv6 addresses:
-- ALTER TABLE relay MODIFY ip_addr VARCHAR(39) NOT NULL;

-- checkrelay asks, and does nothing else. For control/host.mysql:  localhost:relay_r:CHANGE-ME:/run/mysqld/mysqld.sock
CREATE USER IF NOT EXISTS relay_r@localhost IDENTIFIED BY 'CHANGE-ME';
GRANT SELECT ON relay TO relay_r@localhost;

-- opensmtp records logins, clearopensmtp deletes them. For control/host.master, in the same form.
CREATE USER IF NOT EXISTS relay_w@localhost IDENTIFIED BY 'CHANGE-ME-TOO';
GRANT SELECT, INSERT, UPDATE, DELETE ON relay TO relay_w@localhost;
