//! The native client: the same adapter, without a browser.

use std::pin::pin;

use anyhow::Result;
use futures_util::{StreamExt as _, stream};
use prost::Message as _;

use crate::{client, pipe};

/// Number of concurrent cases.
const AT_ONCE: usize = 16;

/// Runs the suite's cases until the end of standard input.
pub fn run() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(answer_all());
    // Standard input may still be open, and must not be waited for.
    runtime.shutdown_background();
    result
}

async fn answer_all() -> Result<()> {
    let cases = stream::unfold(tokio::io::stdin(), async |mut stdin| {
        let case = pipe::read(&mut stdin).await.transpose()?;
        Some((case, stdin))
    });
    let mut answers = pin!(
        cases.map(async |case| Ok::<_, anyhow::Error>(client::run(case?).await)).buffer_unordered(AT_ONCE)
    );
    let mut stdout = tokio::io::stdout();
    while let Some(answer) = answers.next().await {
        pipe::write(&mut stdout, &answer?.encode_to_vec()).await?;
    }
    Ok(())
}
