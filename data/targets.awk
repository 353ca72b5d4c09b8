# From the CSV files of paths to targets to INSERT statements.  No field is
# quoted.
function paths(text) {
	gsub(/'/, "''", text)
	if (text == "")
		return "NULL"
	gsub(/\|/, "', '", text)
	return "ARRAY['" text "']"
}
FNR == 1 { next }
{
	split($0, field, ",")
	if (field[1] == "azure") {	# no index finds names in any case
		field[2] = tolower(field[2])
		field[3] = tolower(field[3])
	}
	printf "%s('%s', '%s', '%s', '%s', %s, %s)",
		n++ % 100 ? ",\n" : (n > 1 ? ";\n" : "") \
			"INSERT INTO iamwatch_internal.target_paths (provider, service, operation, match, target, granted) VALUES\n",
		field[1], field[2], field[3], field[4], paths(field[5]), paths(field[6])
}
BEGIN { print "-- Made from data/targets." }
END { print ";" }
