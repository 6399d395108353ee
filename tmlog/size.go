package main

import "bytes"

// growth is the room in bytes that must be left in a file of at most limit for
// a line to begin there before its end is seen.
func growth(limit int64) int64 { return min(4<<10, limit/4) }

// fitting returns how many bytes of data belong to a file that is size bytes
// long and shall not pass limit: whole lines, as many as fit. 0 says that the
// file is full and a new one has to come first. A line longer than a file, and
// the rest of a line that is in the file already, pass it rather than be
// split.
func fitting(data []byte, size int64, midLine bool, limit int64) int {
	if limit == 0 {
		return len(data)
	}
	first := bytes.IndexByte(data, '\n') + 1
	if first == 0 {
		if midLine || size == 0 || size+int64(len(data))+growth(limit) <= limit {
			return len(data)
		}
		return 0
	}
	room := data
	if left := max(limit-size, 0); left < int64(len(data)) {
		room = data[:left]
	} else if data[len(data)-1] != '\n' && left >= int64(len(data))+growth(limit) {
		return len(data)
	}
	if whole := bytes.LastIndexByte(room, '\n') + 1; whole > 0 {
		return whole
	}
	if midLine || size == 0 {
		return first
	}
	return 0
}
