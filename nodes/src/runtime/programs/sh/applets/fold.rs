//! `base64` and `sha256sum`.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Call, Failure, Result, code};
use crate::runtime::programs::sh::stream::CHUNK_BYTES;

/// Where lines of base64 are broken.
const LINE: usize = 76;

/// `base64 [-d] [-w N] [FILE]`
pub async fn base64(call: Call<'_>) -> Result {
    let parsed = call.options("dDw:", &[("decode", 'd'), ("wrap", 'w')])?;
    let (inputs, missed) = call.inputs(&parsed.operands).await?;
    for (_, input) in inputs {
        let data = input.all().await?;
        if parsed.has('d') || parsed.has('D') {
            let text: Vec<u8> = data
                .into_iter()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
            let decoded = STANDARD.decode(text);
            call.print(decoded.map_err(|_| Failure::Text("truncated input".to_owned()))?)
                .await?;
            continue;
        }
        let text = STANDARD.encode(data);
        let width = parsed
            .number('w')?
            .map_or(LINE, |width| usize::try_from(width).unwrap_or(LINE));
        if width == 0 {
            call.print(text).await?;
            continue;
        }
        for line in text.as_bytes().chunks(width) {
            call.print([line, b"\n"].concat()).await?;
        }
    }
    Ok(code(missed))
}

/// `sha256sum [FILE]...`
pub async fn sha256sum(call: Call<'_>) -> Result {
    let parsed = call.options("b", &[])?;
    let (inputs, missed) = call.inputs(&parsed.operands).await?;
    for (name, input) in inputs {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        loop {
            let piece = input.read(CHUNK_BYTES).await?;
            if piece.is_empty() {
                break;
            }
            context.update(&piece);
        }
        let digest: String = context
            .finish()
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        call.print(format!("{digest}  {name}\n")).await?;
    }
    Ok(code(missed))
}
