//! The Greeter's page.

use e2e::{ENGLISH, Part, Result, part, scenario};

const N: &e2e::Names = &ENGLISH;

fn unary() -> Part {
    part("form", "SayHello")
}

#[tokio::test]
async fn somebody_says_hello() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        page.fill(&part("textbox", N.name).within(&unary()), "世界 🌍").await?;
        page.click(&part("button", N.say_hello)).await?;
        page.says(&part("status", "").within(&unary()), "Hello, 世界 🌍!").await
    })
    .await
}
