//! Heads in every split.

use super::*;
use crate::Verdict;
use crate::verify::tests::splits;

/// Status and framing of a head, if it is whole.
type Expected = Result<Option<(u16, Result<Framing, Verdict>)>, Verdict>;

/// The head of `text` and how many bytes are behind it, however it is split.
fn check(text: &str, expected: Expected) {
    for pieces in splits(text.as_bytes()) {
        let mut reader = HeadReader::default();
        let mut last = Ok(None);
        for piece in &pieces {
            last = reader
                .received(Wanted::default(), piece)
                .map(|head| head.map(|(head, _)| (head.status, head.framing.map_err(verdict))))
                .map_err(verdict);
            if last != Ok(None) {
                break;
            }
        }
        assert_eq!(last, expected, "{text:?} as {pieces:?}");
    }
}

fn verdict(rule: Rule) -> Verdict {
    rule.verdict()
}

fn check_framing(fields: &str, expected: Result<Framing, Verdict>) {
    check(
        &format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n"),
        Ok(Some((200, expected))),
    );
}

const BAD: Result<Framing, Verdict> = Err(Verdict::BadProtocol);

#[test]
fn a_head_is_read_with_either_line_ending_and_without_a_reason() {
    for text in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.0 204\r\nA: b\r\n\r\n",
        "HTTP/1.1 204 X\nA: b\n\n",
        "HTTP/1.1 204 \r\nA: b\n\r\n",
    ] {
        check(text, Ok(Some((204, Ok(Framing::UntilClose)))));
    }
}

#[test]
fn a_length_is_one_number_however_often_it_is_said() {
    check_framing("Content-Length: 5", Ok(Framing::Length(5)));
    check_framing("content-length:007", Ok(Framing::Length(7)));
    check_framing(
        "Content-Length: 5, 5\r\nCONTENT-LENGTH: 5",
        Ok(Framing::Length(5)),
    );
    check_framing(
        "Content-Length: 18446744073709551615",
        Ok(Framing::Length(u64::MAX)),
    );
}

#[test]
fn a_length_that_is_none_or_two_frames_nothing() {
    for value in [
        "",
        "-1",
        "+5",
        "5 5",
        "5,6",
        "5,",
        "0x5",
        "5.0",
        "18446744073709551616",
    ] {
        check_framing(&format!("Content-Length: {value}"), BAD);
    }
    check_framing("Content-Length: 5\r\nContent-Length: 6", BAD);
    check_framing("Content-Length: 5\r\n 6", BAD);
}

#[test]
fn only_chunked_alone_is_a_transfer_coding_we_take() {
    check_framing("Transfer-Encoding: Chunked", Ok(Framing::chunked()));
    for fields in [
        "gzip, chunked",
        "identity",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nContent-Length: 5",
        "",
        "chunked, chunked",
    ] {
        check_framing(&format!("Transfer-Encoding: {fields}"), BAD);
    }
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(old, Ok(Some((200, BAD))));
}

#[test]
fn interim_heads_are_skipped_and_101_is_final() {
    let fine = Ok(Framing::UntilClose);
    check(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 X\r\n\r\n",
        Ok(Some((204, fine))),
    );
    check("HTTP/1.1 101 Switching\r\n\r\n", Ok(Some((101, fine))));
    check("HTTP/1.1 100 Continue\r\n\r\n", Ok(None));
}

#[test]
fn garbage_is_known_at_its_first_byte() {
    for text in [
        "x",
        "HTTP/2",
        "HTTP/1:",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
    ] {
        check(text, Err(Verdict::BadProtocol));
    }
    check("HTTP/1", Ok(None));
}

#[test]
fn a_head_that_is_no_head_is_bad_protocol() {
    for text in [
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
        "HTTP/1.1\n\n",
    ] {
        check(text, Err(Verdict::BadProtocol));
    }
}

#[test]
fn the_caps_hold_to_the_byte() {
    let of_length = |length: usize| {
        let (start, end) = ("HTTP/1.1 200 OK\r\nA: ", "\r\n\r\n");
        format!(
            "{start}{}{end}",
            "x".repeat(length - start.len() - end.len())
        )
    };
    let read = |text: &str| {
        HeadReader::default()
            .received(Wanted::default(), text.as_bytes())
            .map(|h| h.is_some())
            .map_err(verdict)
    };
    assert_eq!(read(&of_length(HEAD_BYTES_MAX)), Ok(true));
    assert_eq!(read(&of_length(HEAD_BYTES_MAX + 1)), Err(Verdict::TooLarge));
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(700);
    assert_eq!(read(&interim), Err(Verdict::TooLarge));
    let fields = |n: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(n));
    assert_eq!(read(&fields(FIELDS_MAX)), Ok(true));
    assert_eq!(read(&fields(FIELDS_MAX + 1)), Err(Verdict::TooLarge));
}

#[test]
fn a_head_in_drips_is_cut_off_at_the_cap() {
    let mut reader = HeadReader::default();
    let drips = b"HTTP/1.1 200 OK\r\n"
        .iter()
        .chain(std::iter::repeat(&b'x'));
    let read = drips
        .take_while(|&&byte| matches!(reader.received(Wanted::default(), &[byte]), Ok(None)))
        .count();
    assert_eq!(read, HEAD_BYTES_MAX);
    assert!(reader.kept.capacity() <= 2 * HEAD_BYTES_MAX);
}

#[test]
fn a_whole_head_is_read_where_it_stands() {
    let mut reader = HeadReader::default();
    let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody";
    let (_, behind) = reader.received(Wanted::default(), text).unwrap().unwrap();
    assert_eq!((behind, reader.kept.capacity()), (&b"body"[..], 0));
}

/// The media type of a head with `fields`, and whether it has the field `A: b c`.
fn seen(fields: &str) -> (Option<Box<str>>, bool) {
    let field = Field {
        name: "a".into(),
        value: Some("b c".into()),
    };
    let wanted = Wanted {
        media_type: true,
        field: Some(&field),
    };
    let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
    let mut reader = HeadReader::default();
    let (head, _) = reader.received(wanted, head.as_bytes()).unwrap().unwrap();
    (head.media_type, head.has_field)
}

#[test]
fn a_media_type_is_read_without_parameters_and_case() {
    for (fields, expected) in [
        ("Content-Type: Text/HTML; charset=utf-8", Some("text/html")),
        ("content-type:text/html", Some("text/html")),
        ("Content-Type: ", None),
        ("Content-Type: ;", None),
        ("Content-Type: text html", None),
        ("Content-Type: a/b\r\nContent-Type: a/b", None),
        ("X: y", None),
    ] {
        assert_eq!(seen(fields).0.as_deref(), expected, "{fields:?}");
    }
    assert_eq!(seen(&format!("Content-Type: {}", "x".repeat(256))).0, None);
}

#[test]
fn a_field_is_looked_for_by_name_in_any_case_and_by_its_whole_value() {
    for (fields, expected) in [
        ("A: b c", true),
        ("a:  b c  ", true),
        ("A: x\r\nA: b c", true),
        ("A: b", false),
        ("A: b c d", false),
        ("A: B C", false),
        ("AA: b c", false),
        ("X: b c", false),
    ] {
        assert_eq!(seen(fields).1, expected, "{fields:?}");
    }
}
