//! The explorer: calls of any method by descriptors that come at run time.

use anyhow::{Context as _, bail, ensure};
use e2e::{
    Browser, ENGLISH, Names, OtherOrigin, Page, Part, Result, World, any, beginning, eventually, keys, part,
    scenario, start_gateway,
};
use harness::{Server, TempFolder};
use serde_json::{Value, json};

use crate::accessibility::has_no_barriers;

const N: &Names = &ENGLISH;

fn request() -> Part {
    part("form", "Request")
}

pub(crate) fn response() -> Part {
    part("region", "Response")
}

pub(crate) fn editor() -> Part {
    part("textbox", "Message as JSON")
}

pub(crate) fn send() -> Part {
    beginning("button", "Send").within(&request())
}

/// A page that shows a method, with the message as JSON.
async fn explore(world: &mut World, method: &str) -> Result<Page> {
    let page = world.browser("somebody", Browser::default()).await?;
    page.open(&format!("/explorer/{method}")).await?;
    page.click(&part("radio", "JSON")).await?;
    page.part(&editor()).await?;
    Ok(page)
}

/// The lines of the messages of the call.
async fn lines(page: &Page) -> Result<Vec<String>> {
    let log = serde_json::to_value(part("log", "Messages"))?;
    page.run(
        "const log = find(arguments[0].steps)[0];
         return log ? [...log.querySelectorAll('.call-frame__line')].map((line) => tidy(line.innerText)) : []",
        vec![log],
    )
    .await
}

/// Waits until so many messages were received.
pub(crate) async fn received(page: &Page, count: usize) -> Result {
    eventually(&format!("{count} replies"), async || {
        let found = lines(page).await?.iter().filter(|line| line.starts_with("Received")).count();
        if found >= count { Ok(()) } else { bail!("there are {found}") }
    })
    .await
}

/// Drops a file on the page.
pub(crate) async fn drop_file(page: &Page, name: &str, bytes: &[u8]) -> Result {
    page.run(
        "const data = new DataTransfer();
         data.items.add(new File([new Uint8Array(arguments[1])], arguments[0]));
         const place = document.querySelector('main');
         for (const type of ['dragover', 'drop']) {
             place.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
         }",
        vec![json!(name), json!(bytes)],
    )
    .await
}

#[tokio::test]
async fn a_method_is_found_by_reflection_and_called() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Browser::default()).await?;
        page.open("/greeter").await?;
        page.click(&part("link", "Explorer").within(&part("navigation", "Pages"))).await?;
        page.page_contains("Services by reflection").await?;
        let services = part("navigation", "Services");
        page.fill(&part("searchbox", "Filter methods"), "sayhello").await?;
        page.click(&part("link", "SayHello unary").within(&services)).await?;
        ensure!(page.path().await? == "/explorer/helloworld.Greeter/SayHello");
        page.page_contains("One name, one greeting.").await?;
        // The request follows, and not the rest of the list.
        assert_eq!(page.focused().await?, ("heading".to_owned(), "SayHello".to_owned()));
        page.press(keys::TAB).await?;
        assert_eq!(page.focused().await?, ("radio".to_owned(), "Form".to_owned()));
        // The form and the JSON text are one.
        page.fill(&part("textbox", "name"), "世界 \"🌍\"").await?;
        page.click(&part("radio", "JSON")).await?;
        let json: String = page.run("return document.querySelector('#explorer-json').value", vec![]).await?;
        ensure!(
            serde_json::from_str::<serde_json::Value>(&json)? == json!({ "name": "世界 \"🌍\"" }),
            "{json}"
        );
        page.click(&send()).await?;
        page.contains_text(&response(), "0 OK").await?;
        page.contains_text(&response(), "Hello, 世界 \\\"🌍\\\"!").await?;
        page.contains_text(&response(), "Message").await?;
        page.contains_text(&response(), "fetch").await
    })
    .await
}

#[tokio::test]
async fn wrong_json_is_named_with_its_place_and_not_sent() -> Result {
    scenario(async |world| {
        let page = explore(world, "helloworld.Greeter/SayHello").await?;
        page.fill(&editor(), "{\n  \"nam\": \"Ada\"\n}").await?;
        let error = beginning("button", "Line 2, column 3");
        page.contains_text(&error, "helloworld.HelloRequest has no field nam. Is it name?").await?;
        page.click(&send()).await?;
        ensure!(page.focused().await?.1 == "Message as JSON");
        page.contains_text(&response(), "Nothing was sent yet.").await?;
        page.click(&error).await?;
        let place: usize = page.run("return document.activeElement.selectionStart", vec![]).await?;
        ensure!(place == 4, "the cursor is at {place}");
        page.fill(&editor(), "{\"name\": ").await?;
        page.contains_text(&beginning("button", "Line 1, column 10"), "a value is missing").await?;
        page.click(&part("radio", "Form")).await?;
        page.page_contains("The form is shown again when the JSON text is well-formed.").await
    })
    .await
}

#[tokio::test]
async fn a_server_stream_is_shown_live_and_cancelled_by_escape() -> Result {
    scenario(async |world| {
        let page = explore(world, "helloworld.Greeter/SayHelloStreamReply").await?;
        page.click(&beginning("button", "Metadata, deadline and token")).await?;
        page.click(&part("button", "Add metadata")).await?;
        page.fill(&part("textbox", "Key 1"), "x-greeter-interval-ms").await?;
        page.fill(&part("textbox", "Value 1"), "20").await?;
        page.click(&send()).await?;
        received(&page, 3).await?;
        page.contains_text(&response(), "Running").await?;
        page.press(keys::ESCAPE).await?;
        page.contains_text(&response(), "1 CANCELLED").await?;
        page.contains_text(&response(), "Cancelled.").await
    })
    .await
}

#[tokio::test]
async fn messages_of_a_client_stream_are_sent_one_by_one() -> Result {
    scenario(async |world| {
        let page = explore(world, "helloworld.Greeter/SayHelloClientStream").await?;
        page.fill(&editor(), "{\"name\": \"Ada\"}").await?;
        page.click(&beginning("button", "Start and send")).await?;
        page.fill(&editor(), "{\"name\": \"Grace\"}").await?;
        page.click(&beginning("button", "Send message")).await?;
        page.click(&part("button", N.finish)).await?;
        page.contains_text(&response(), "Hello, Ada and Grace!").await?;
        page.contains_text(&response(), "0 OK").await?;
        page.contains_text(&response(), "WebSocket").await
    })
    .await
}

#[tokio::test]
async fn messages_of_both_directions_are_sent_while_replies_come() -> Result {
    scenario(async |world| {
        let page = explore(world, "helloworld.Greeter/SayHelloBidiStream").await?;
        for (count, name) in ["Ada", "Grace", "Edsger"].into_iter().enumerate() {
            page.fill(&editor(), &format!("{{\"name\": \"{name}\"}}")).await?;
            page.chord(&[keys::CONTROL, keys::ENTER]).await?;
            received(&page, count + 1).await?;
        }
        let lines = lines(&page).await?;
        ensure!(lines.len() == 6 && lines[1].contains("Hello, Ada!"), "{lines:?}");
        page.click(&part("button", N.finish)).await?;
        page.contains_text(&response(), "0 OK").await
    })
    .await
}

#[tokio::test]
async fn an_unknown_method_in_the_address_is_named() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Browser::default()).await?;
        page.open("/explorer/helloworld.Greeter/SayGoodbye").await?;
        page.page_contains("The server has no method helloworld.Greeter/SayGoodbye.").await?;
        page.click(&part("link", "SayHello unary")).await?;
        page.part(&request()).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn a_server_without_reflection_is_called_by_a_dropped_set() -> Result {
    scenario(async |world| {
        let descriptors = proto::FILE_DESCRIPTOR_SET;
        let other = OtherOrigin::start()?;
        world.restart_with(&[&format!("--connect-source={}", other.origin())])?;
        let page = world.browser("somebody", Browser::default()).await?;
        page.open("/explorer/helloworld.Greeter/SayHello").await?;
        page.page_contains("Services by reflection").await?;
        page.allow_failed_requests();
        page.fill(&part("textbox", "Address"), &other.origin()).await?;
        page.click(&part("button", "Connect")).await?;
        page.page_contains("No answer came from this address").await?;
        drop_file(&page, "notes.txt", b"no descriptors").await?;
        page.page_contains("notes.txt is no usable FileDescriptorSet.").await?;
        drop_file(&page, "all.binpb", descriptors).await?;
        page.page_contains("Services of all.binpb").await?;
        page.click(&send()).await?;
        page.contains_text(&response(), "14 UNAVAILABLE").await?;
        page.contains_text(&response(), "CORS").await?;
        // The browser tells the console what it does not tell the page.
        page.errors().await.map(drop)
    })
    .await
}

#[tokio::test]
async fn a_gateway_to_a_server_without_reflection_is_explored_by_a_dropped_set() -> Result {
    scenario(async |world| {
        let (_gateway, addr) = start_gateway(&format!("--route=helloworld.Greeter={}", world.url()))?;
        let page = world.browser("somebody", Browser::default()).await?;
        page.visit(&format!("http://{addr}/explorer/helloworld.Greeter/SayHelloBidiStream")).await?;
        page.page_contains("The server has no reflection, so it does not tell its services.").await?;
        drop_file(&page, "all.binpb", proto::FILE_DESCRIPTOR_SET).await?;
        page.part(&request()).await?;
        page.fill(&part("textbox", "name"), "Ada").await?;
        page.click(&beginning("button", "Start and send")).await?;
        received(&page, 1).await?;
        page.click(&part("button", N.finish)).await?;
        page.contains_text(&response(), "0 OK").await?;
        // The gateway ends before the page, which asks again for the chat.
        page.allow_failed_requests();
        Ok(())
    })
    .await
}

/// A service with a message of many kinds of fields.
const EVERYTHING: &str = r#"syntax = "proto3";
package test;
import "google/protobuf/timestamp.proto";
service Everything {
  // Nobody serves this.
  rpc Try(Request) returns (Request) { option deprecated = true; }
}
enum Colour { COLOUR_UNSPECIFIED = 0; RED = 1; BLUE = -2; }
message Request {
  // Of all of them.
  int64 count = 1;
  optional bool flag = 2;
  Colour colour = 3;
  repeated string tags = 4;
  map<string, int32> sizes = 5;
  bytes data = 6;
  google.protobuf.Timestamp at = 7;
  message Inner { double x = 1; }
  oneof choice { string word = 8; Inner inner = 9; }
}
"#;

/// Chooses a value of a list.
async fn choose(page: &Page, list: &Part, value: &str) -> Result {
    page.part(list).await?;
    page.run(
        "const [list] = find(arguments[0].steps);
         list.value = arguments[1];
         list.dispatchEvent(new Event('change', { bubbles: true }));",
        vec![serde_json::to_value(list)?, json!(value)],
    )
    .await
}

#[tokio::test]
async fn a_form_of_every_kind_of_field_is_in_step_with_the_json() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Browser::default()).await?;
        page.open("/explorer/test.Everything/Try").await?;
        page.page_contains("The server has no method test.Everything/Try.").await?;
        drop_file(&page, "wrong.proto", b"syntax = \"proto3\"; massage A {}").await?;
        page.page_contains("The .proto files do not compile.").await?;
        drop_file(&page, "everything.proto", EVERYTHING.as_bytes()).await?;
        page.page_contains("Services of everything.proto").await?;
        page.page_contains("Nobody serves this.").await?;
        page.page_contains("deprecated").await?;
        page.click(&beginning("button", "Fill in all fields")).await?;

        page.fill(&part("textbox", "count"), "many").await?;
        page.page_contains("a whole number from -9223372036854775808 to 9223372036854775807 is due").await?;
        page.fill(&part("textbox", "count"), "-7").await?;
        page.fill(&part("textbox", "data"), "!").await?;
        page.page_contains("bytes in base64 is due").await?;
        page.fill(&part("textbox", "data"), "AP8=").await?;
        page.fill(&part("textbox", "at"), "2026-11-27T10:00:00Z").await?;
        choose(&page, &part("combobox", "flag"), "true").await?;
        choose(&page, &part("combobox", "colour"), "BLUE").await?;
        choose(&page, &part("combobox", "Which of choice"), "1").await?;
        page.fill(&part("textbox", "x"), "1.5e3").await?;
        page.fill(&part("textbox", "tags, item 1"), "a \"b\"").await?;
        page.click(&part("button", "Add an item to tags")).await?;
        page.click(&part("button", "Remove item 1 of tags")).await?;
        page.fill(&part("textbox", "tags, item 1"), "c").await?;
        page.fill(&part("textbox", "New key of sizes"), "x.y").await?;
        page.click(&part("button", "Add an entry to sizes")).await?;
        page.fill(&part("textbox", "sizes[x.y]"), "3").await?;

        page.click(&part("radio", "JSON")).await?;
        let json: String = page.run("return document.querySelector('#explorer-json').value", vec![]).await?;
        let mut json: Value = serde_json::from_str(&json)?;
        let sizes = json["sizes"].as_object_mut().context("there are no sizes")?;
        ensure!(sizes.remove("x.y") == Some(json!(3)), "{json}");
        json["sizes"].take();
        let expected = json!({
            "count": "-7", "flag": true, "colour": "BLUE", "tags": ["c"], "sizes": null, "data": "AP8=",
            "at": "2026-11-27T10:00:00Z", "inner": { "x": 1.5e3 },
        });
        ensure!(json == expected, "{json}");

        page.fill(&editor(), "{\"colour\": \"RED\", \"word\": \"w\"}").await?;
        page.click(&part("radio", "Form")).await?;
        let colour = serde_json::to_value(part("combobox", "colour"))?;
        let chosen: String = page.run("return find(arguments[0].steps)[0].value", vec![colour]).await?;
        ensure!(chosen == "RED", "{chosen}");
        page.part(&part("textbox", "word")).await?;
        page.part(&part("button", "Add at")).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn another_address_is_called_where_policy_and_cors_allow_it() -> Result {
    scenario(async |world| {
        let folder = TempFolder::new()?;
        let mut second =
            Server::new(&folder.path().join("data"))?.flags([format!("--cors-origin={}", world.url())]);
        second.start()?;
        let page = world.browser("somebody", Browser::default()).await?;
        page.open("/explorer/helloworld.Greeter/SayHello").await?;
        page.part(&request()).await?;
        page.allow_failed_requests();
        page.fill(&part("textbox", "Address"), &second.url()).await?;
        page.click(&part("button", "Connect")).await?;
        page.page_contains("--connect-source").await?;
        // The refusal of the policy is in the console, too.
        page.errors().await?;

        world.restart_with(&["--connect-source=*"])?;
        page.reload().await?;
        page.page_contains("Services by reflection").await?;
        page.click(&send()).await?;
        page.contains_text(&response(), "0 OK").await?;
        page.fill(&part("textbox", "Address"), "ftp://a").await?;
        page.click(&part("button", "Connect")).await?;
        page.page_contains("An address begins with http:// or https://.").await?;
        page.errors().await.map(drop)
    })
    .await
}

#[tokio::test]
async fn an_earlier_call_fills_the_request_again_and_is_copied_without_its_token() -> Result {
    scenario(async |world| {
        let page = explore(world, "helloworld.Greeter/SayHello").await?;
        page.click(&beginning("button", "Metadata, deadline and token")).await?;
        page.fill(&part("textbox", "Bearer token"), "s3cret-token").await?;
        page.fill(&part("textbox", N.deadline), "5000").await?;
        page.fill(&editor(), "{\"name\": \"it's Ada\"}").await?;
        page.click(&send()).await?;
        page.contains_text(&response(), "Hello, it's Ada!").await?;
        page.click(&beginning("button", "Copy as")).await?;
        page.page_contains("-max-time 5").await?;
        page.page_contains(r"-d '{").await?;
        page.page_contains(r"it'\''s Ada").await?;
        page.page_contains("$TOKEN").await?;
        page.click(&part("radio", "Rust")).await?;
        page.page_contains("PathAndQuery::from_static").await?;
        let kept: String =
            page.run("return JSON.stringify({...localStorage, ...sessionStorage})", vec![]).await?;
        ensure!(!kept.contains("s3cret") && !page.all_text().await?.contains("s3cret"));

        page.fill(&editor(), "{}").await?;
        page.reload().await?;
        page.click(&beginning("button", "Earlier calls")).await?;
        let call = any("button").within(&part("list", "Earlier calls"));
        page.part_of(&call, 0).await?.click().await?;
        eventually("the earlier message", async || {
            let json: String =
                page.run("return document.querySelector('#explorer-json').value", vec![]).await?;
            if json == "{\"name\": \"it's Ada\"}" { Ok(()) } else { bail!("it is {json}") }
        })
        .await?;
        page.click(&part("button", "Clear")).await?;
        page.page_contains("Calls of this server are listed here").await
    })
    .await
}

#[tokio::test]
async fn the_keyboard_alone_calls_a_method() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Browser::default()).await?;
        page.open("/explorer").await?;
        page.part(&part("link", "SayHello unary")).await?;
        tab_to(&page, "link", "SayHello unary").await?;
        page.press(keys::ENTER).await?;
        page.part(&request()).await?;
        tab_to(&page, "textbox", "name").await?;
        page.insert("Ada").await?;
        page.chord(&[keys::CONTROL, keys::ENTER]).await?;
        page.contains_text(&response(), "Hello, Ada!").await?;
        for (role, name) in [("button", "Copy as"), ("button", "Earlier calls")] {
            tab_to(&page, role, name).await?;
        }
        Ok(())
    })
    .await
}

/// Presses Tab until the focus is there.
async fn tab_to(page: &Page, role: &str, name: &str) -> Result {
    const MOST: usize = 120;
    for _ in 0..MOST {
        let focused = page.focused().await?;
        if (focused.0.as_str(), focused.1.as_str()) == (role, name) {
            return Ok(());
        }
        page.press(keys::TAB).await?;
    }
    bail!("{MOST} tabs do not lead to {role} {name:?}")
}

#[tokio::test]
async fn axe_finds_no_violation_in_the_explorer() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Browser::default()).await?;
        page.open("/explorer").await?;
        page.page_contains("Services by reflection").await?;
        has_no_barriers(&page, "the explorer without a method").await?;
        page.click(&beginning("link", "SendMessage")).await?;
        page.part(&request()).await?;
        for name in ["Metadata, deadline and token", "Fields of the request", "Copy as", "Earlier calls"] {
            page.click(&beginning("button", name)).await?;
        }
        page.click(&part("button", "Add metadata")).await?;
        page.fill(&part("textbox", "Value 1"), "世界").await?;
        page.click(&beginning("link", "SayHello unary")).await?;
        page.part(&part("textbox", "name")).await?;
        page.click(&part("button", "Remove metadata 1")).await?;
        page.click(&send()).await?;
        page.contains_text(&response(), "0 OK").await?;
        for colours in ["light", "dark"] {
            page.prefer_colours(colours).await?;
            for view in ["Form", "JSON"] {
                page.click(&part("radio", view)).await?;
                has_no_barriers(&page, &format!("the explorer as {view}, {colours}")).await?;
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_refused_call_shows_the_servers_words_and_its_details() -> Result {
    scenario(async |world| {
        let page = explore(world, "chat.v1.ChatService/Join").await?;
        page.fill(&editor(), "{\"name\": \"\"}").await?;
        page.click(&send()).await?;
        page.contains_text(&response(), "3 INVALID_ARGUMENT").await?;
        page.contains_text(&response(), "google.rpc.BadRequest").await?;
        page.contains_text(&response(), "\"field\"").await
    })
    .await
}

#[tokio::test]
async fn the_explorer_speaks_chinese_and_fits_a_phone() -> Result {
    scenario(async |world| {
        let browser = Browser { language: "zh-CN,zh", ..Browser::default() };
        let page = world.browser("somebody", browser).await?.in_chinese();
        page.resize(320, 640).await?;
        page.open("/explorer/helloworld.Greeter/SayHello").await?;
        page.part(&part("form", "请求")).await?;
        page.click(&part("radio", "JSON 文本")).await?;
        page.fill(&part("textbox", "JSON 格式的消息"), "{\"nam\": 1}").await?;
        page.page_contains("第 1 行第 2 列").await?;
        page.fill(&part("textbox", "JSON 格式的消息"), "{\"name\": \"世界\"}").await?;
        page.click(&beginning("button", "发送").within(&part("form", "请求"))).await?;
        page.contains_text(&part("region", "响应"), "Hello, 世界!").await?;
        let overflow: i64 = page
            .run("const { scrollWidth, clientWidth } = document.querySelector('main'); return scrollWidth - clientWidth", vec![])
            .await?;
        ensure!(overflow == 0, "the page scrolls sideways by {overflow} pixels");
        page.click(&part("button", "服务和方法")).await?;
        page.click(&beginning("link", "SayHelloStreamReply")).await?;
        page.part(&part("heading", "SayHelloStreamReply")).await.map(drop).context("the chosen method is not shown")
    })
    .await
}

#[tokio::test]
async fn nothing_of_the_explorer_is_loaded_at_the_start() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Browser::default()).await?;
        page.open("/").await?;
        let modules = "return performance.getEntriesByType('resource').map((entry) => entry.name).filter((name) => name.endsWith('.wasm'))";
        eventually("the other parts", async || {
            let loaded: Vec<String> = page.run(modules, vec![]).await?;
            ensure!(loaded.iter().any(|name| name.contains("dialogs")), "{loaded:?}");
            ensure!(!loaded.iter().any(|name| name.contains("explorer")), "it is loaded: {loaded:?}");
            Ok(())
        })
        .await?;
        tab_to(&page, "link", "Explorer").await?;
        eventually("the explorer", async || {
            let loaded: Vec<String> = page.run(modules, vec![]).await?;
            if loaded.iter().any(|name| name.contains("explorer")) { Ok(()) } else { bail!("{loaded:?}") }
        })
        .await
    })
    .await
}
