"""The words everyone speaks: frozen structs that check themselves. Knows no room and no clock."""
