//! Indented JSON, for people and for clients that ask for YAML, of which it is a part.

/// Indents JSON by two spaces a level, as upstream does; keys keep their order. `json` must be valid.
pub(crate) fn indent(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut bytes = json.iter().copied().filter(|byte| *byte != b'\n').peekable();
    while let Some(byte) = bytes.next() {
        if in_string {
            out.push(byte);
            (escaped, in_string) = (byte == b'\\' && !escaped, escaped || byte != b'"');
            continue;
        }
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                if let Some(close) = bytes.next_if(|next| matches!(next, b'}' | b']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            b' ' | b'\t' | b'\r' => {}
            _ => {
                in_string = byte == b'"';
                out.push(byte);
            }
        }
    }
    out.push(b'\n');
    out
}

fn line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.resize(out.len() + 2 * depth, b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_strings_is_left_alone() {
        let json = br#"{"a":[1,"x,{\"y\":[]}\\"],"b":{},"c":[],"d":{"e":null}}"#;
        let expected = r#"{
  "a": [
    1,
    "x,{\"y\":[]}\\"
  ],
  "b": {},
  "c": [],
  "d": {
    "e": null
  }
}
"#;
        let indented = String::from_utf8(indent(json)).unwrap();
        assert_eq!(indented, expected);
        let read = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap();
        assert_eq!(read(indented.as_bytes()), read(json));
    }
}
