//! Files in ranges and in pieces of any length: the same lines as in one.

use bytes::Bytes;
use proptest::prelude::*;

use super::{OPEN_CSV, Table, decode, rows, strings};
use crate::{
    error::ErrorKind,
    formats::text::{compression::Compression, decoder::TextDecoder, lines::LineRange},
};

/// A table of one column that is the whole line.
fn lines(properties: &[(&str, &str)]) -> Table {
    Table::lazy(&[("line", "string")], properties)
}

/// The rows of a range, whose bytes are fetched piece by piece for as long as they are needed; and where the last piece ended.
fn of_range(table: &Table, file: &[u8], range: (usize, usize), piece: usize) -> (Vec<Option<String>>, usize) {
    let range = LineRange::new(range.0 as u64, range.1 as u64);
    let mut decoder = table.decoder(&[0]).unwrap().with_range(range);
    let mut at = usize::try_from(range.first_byte()).unwrap();
    let mut batches = Vec::new();
    let mut take = |decoder: &mut TextDecoder| {
        while let Some(batch) = decoder.next().unwrap() {
            batches.push(batch);
        }
    };
    take(&mut decoder);
    while at < file.len() && !decoder.is_done() {
        let end = file.len().min(at + piece);
        decoder.push(Bytes::copy_from_slice(&file[at..end]));
        at = end;
        take(&mut decoder);
    }
    decoder.finish();
    take(&mut decoder);
    assert!(decoder.is_done());
    (strings(&batches, 0), at)
}

/// What lines are, said in another way than in the code.
fn expected(file: &str) -> Vec<Option<String>> {
    let text = file.strip_prefix('\u{feff}').unwrap_or(file).replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<_> = text.split('\n').map(|line| Some(line.to_owned())).collect();
    // What is after the last end is no line if it is empty.
    lines.pop_if(|last| last.as_deref() == Some(""));
    lines
}

proptest! {
    #[test]
    fn any_division_gives_the_same_lines(
        file in "\u{feff}?[ab\u{e9}\n\r]{0,40}",
        cuts in prop::collection::vec(0_usize..50, 0..5),
        piece in 1_usize..12,
        header in 0_usize..2,
    ) {
        let table = lines(&[("skip.header.line.count", header.to_string().as_str())]);
        let bytes = file.as_bytes();
        let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        ends.extend([0, bytes.len()]);
        ends.sort_unstable();
        let found: Vec<_> = ends.windows(2).flat_map(|ends| of_range(&table, bytes, (ends[0], ends[1]), piece).0).collect();
        let wanted: Vec<_> = expected(&file).into_iter().skip(header).collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn fields_do_not_depend_on_pieces(file in "[a1,\n\r\\\\\"\u{e9}]{0,60}", piece in 1_usize..9) {
        let columns = [("a", "string"), ("b", "int"), ("c", "array<string>")];
        let properties = [("field.delim", ","), ("escape.delim", "\\"), ("collection.delim", "a")];
        let csv = Table::new(OPEN_CSV, &[("a", "string"), ("b", "string")], &[]).unwrap();
        for table in [Table::lazy(&columns, &properties), csv] {
            let whole = table.read("f", file.as_bytes()).unwrap();
            let all: Vec<usize> = (0..table.storage.columns.len()).collect();
            let pieces = file.as_bytes().chunks(piece).map(Bytes::copy_from_slice);
            prop_assert_eq!(decode(table.decoder(&all).unwrap(), pieces).unwrap(), whole);
        }
    }
}

#[test]
fn a_range_reads_no_further_than_its_last_line() {
    let file = b"one\ntwo\r\nthree\nfour";
    let table = lines(&[]);
    let some = |lines: &[&str]| lines.iter().map(|line| Some((*line).to_owned())).collect::<Vec<_>>();
    assert_eq!(of_range(&table, file, (0, 4), 1), (some(&["one"]), 4));
    assert_eq!(of_range(&table, file, (0, 5), 1), (some(&["one", "two"]), 8));
    assert_eq!(of_range(&table, file, (4, 8), 1), (some(&["two"]), 8));
    // Between a carriage return and its line feed.
    assert_eq!(of_range(&table, file, (8, 9), 1), (some(&[]), 9));
    assert_eq!(of_range(&table, file, (8, 10), 1), (some(&["three"]), 15));
    assert_eq!(of_range(&table, file, (10, 15), 1), (some(&[]), 15));
    assert_eq!(of_range(&table, file, (15, 19), 1), (some(&["four"]), 19));
}

#[test]
fn rows_are_counted_without_columns() {
    for file in ["a\nb\n\nc", "a\r\nb\r\n\r\nc\r\n", "\u{feff}h\na\nb\nc\nd\nf"] {
        let header = usize::from(file.starts_with('\u{feff}'));
        let count = header.to_string();
        let table = lines(&[("skip.header.line.count", count.as_str()), ("skip.footer.line.count", count.as_str())]);
        let batches = decode(table.decoder(&[]).unwrap(), [Bytes::from(file)]).unwrap();
        assert_eq!((rows(&batches), batches[0].num_columns()), (4, 0), "{file:?}");
    }
}

#[test]
fn batches_have_so_many_rows_at_most() {
    let file = "x\n".repeat(2500);
    let batches = lines(&[]).read("f", file.as_bytes()).unwrap();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).collect::<Vec<_>>(), [1000, 1000, 500]);
}

#[test]
fn what_is_skipped_decides_whether_a_file_is_split() {
    let is_splittable = |properties: &[(&str, &str)], compression| lines(properties).options.is_splittable(compression);
    assert!(is_splittable(&[], Compression::None));
    assert!(is_splittable(&[("skip.header.line.count", "1")], Compression::None));
    assert!(!is_splittable(&[("skip.header.line.count", "2")], Compression::None));
    assert!(!is_splittable(&[("skip.footer.line.count", "1")], Compression::None));
    assert!(!is_splittable(&[], Compression::Gzip));
}

#[test]
fn a_line_without_an_end_is_an_error() {
    let piece = Bytes::from(vec![b'x'; 1 << 20]);
    let error = decode(lines(&[]).decoder(&[0]).unwrap(), std::iter::repeat_n(piece, 101)).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::CorruptData, "a line has more than 104857600 bytes"));
}
