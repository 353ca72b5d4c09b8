\echo Use "CREATE EXTENSION iamwatch" to load this file. \quit
