# From the CSV files of paths to INSERT statements.  No field needs quotes.
function quoted(text) {
	gsub(/'/, "''", text)
	return "'" text "'"
}
function array(text) {
	if (text == "")
		return "NULL"
	gsub(/'/, "''", text)
	gsub(/\|/, "','", text)
	return "ARRAY['" text "']"
}
FNR == 1 { next }
{
	split($0, field, ",")
	printf "%s(%s, %s, %s, %s, %s, %s)",
		n++ % 100 ? ",\n" : (n > 1 ? ";\n" : "") "INSERT INTO iamwatch_internal.target_paths VALUES\n",
		quoted(field[1]), quoted(field[2]), quoted(field[3]), quoted(field[4]), array(field[5]), array(field[6])
}
BEGIN { print "-- Made from data/targets." }
END { print ";" }
