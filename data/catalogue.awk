# From the catalogue's CSV files to INSERT statements.  Only the last field,
# the note, may be quoted.
function quoted(text) {
	gsub(/'/, "''", text)
	return text == "" ? "NULL" : "'" text "'"
}
FNR == 1 { next }
{
	split($0, field, ",")
	note = $0
	for (i = 1; i <= 8; i++)
		sub(/^[^,]*,/, "", note)
	if (note ~ /^".*"$/) {
		note = substr(note, 2, length(note) - 2)
		gsub(/""/, "\"", note)
	}
	printf "%s(%s, %s, %s, %s, %s, %s, %s, %s, %s, 'iamwatch')",
		n++ % 100 ? ",\n" : (n > 1 ? ";\n" : "") "INSERT INTO iamwatch.operations VALUES\n",
		quoted(field[1]), quoted(field[2]), quoted(field[3]), quoted(field[4]), quoted(field[5]),
		quoted(field[6]), quoted(field[7]), field[8], quoted(note)
}
BEGIN { print "-- Made from data/catalogue." }
END { print ";" }
