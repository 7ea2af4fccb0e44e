//! The server of gRPC's route guide, which is made of gRPC's library for Go and knows neither gRPC-Web nor reflection, called
//! from the explorer through the gateway.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use anyhow::Context as _;
use e2e::{
    Browser, ENGLISH, Names, Page, Result, World, beginning, eventually, part, route_guide, scenario,
    start_gateway,
};
use harness::Process;

use crate::explorer::{drop_file, editor, received, response, send};

const N: &Names = &ENGLISH;

/// A place of the data that the server has by default, and its name there.
const PLACE: &str = r#"{"latitude": 409146138, "longitude": -746188906}"#;
const NAME: &str = "Berkshire Valley Management Area Trail, Jefferson, NJ, USA";

/// The server and a gateway with a page in front of it.
struct Guide {
    gateway: SocketAddr,
    _processes: [Process; 2],
}

impl Guide {
    async fn start() -> Result<Self> {
        // The server takes a port and does not tell it.
        let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut server = Command::new(route_guide()?.join("server"));
        let server = Process::start_quietly(server.arg(format!("-port={}", addr.port())))?;
        eventually("a server", async || Ok(TcpStream::connect(addr).map(drop)?)).await?;
        let (process, gateway) = start_gateway(&format!("--upstream=http://{addr}"))?;
        Ok(Self { gateway, _processes: [server, process] })
    }

    /// A page that shows a method by the contract, with the message as JSON.
    async fn explore(&self, world: &mut World, method: &str) -> Result<Page> {
        let page = world.browser("somebody", Browser::default()).await?;
        page.visit(&format!("http://{}/explorer/routeguide.RouteGuide/{method}", self.gateway)).await?;
        page.page_contains("The server has no reflection, so it does not tell its services.").await?;
        drop_contract(&page, "route_guide.proto").await?;
        page.page_contains("route_guide.proto is written in an edition of Protobuf").await?;
        drop_contract(&page, "route_guide.binpb").await?;
        page.page_contains("Services of route_guide.binpb").await?;
        page.click(&part("radio", "JSON")).await?;
        page.part(&editor()).await?;
        Ok(page)
    }
}

async fn drop_contract(page: &Page, name: &str) -> Result {
    let contract = std::fs::read(route_guide()?.join(name)).with_context(|| format!("no {name}"))?;
    drop_file(page, name, &contract).await
}

async fn has_ended_well(page: &Page) -> Result {
    page.contains_text(&response(), "0 OK").await?;
    // The gateway ends before the page, which asks again for the chat.
    page.allow_failed_requests();
    Ok(())
}

#[tokio::test]
async fn a_feature_is_asked_for() -> Result {
    scenario(async |world| {
        let guide = Guide::start().await?;
        let page = guide.explore(world, "GetFeature").await?;
        page.page_contains("Obtains the feature at a given position.").await?;
        page.fill(&editor(), PLACE).await?;
        page.click(&send()).await?;
        page.contains_text(&response(), NAME).await?;
        has_ended_well(&page).await
    })
    .await
}

#[tokio::test]
async fn the_calls_panel_decodes_messages_by_the_descriptors_that_were_found() -> Result {
    scenario(async |world| {
        let guide = Guide::start().await?;
        let page = guide.explore(world, "GetFeature").await?;
        page.fill(&editor(), PLACE).await?;
        page.click(&send()).await?;
        has_ended_well(&page).await?;
        page.open_menu().await?;
        page.click(&part("button", N.calls)).await?;
        let panel = part("region", N.calls);
        page.contains_text(&panel, "routeguide.RouteGuide/GetFeature").await?;
        let open = "const lines = [...document.querySelectorAll('#calls button')];
             lines.find((line) => line.innerText.includes('GetFeature')).click()";
        page.run::<()>(open, vec![]).await?;
        page.contains_text(&panel, "\"latitude\": 409146138").await?;
        page.contains_text(&panel, NAME).await
    })
    .await
}

#[tokio::test]
async fn features_are_streamed_to_the_page() -> Result {
    scenario(async |world| {
        let guide = Guide::start().await?;
        let page = guide.explore(world, "ListFeatures").await?;
        let rectangle = r#"{"lo": {"latitude": 400000000, "longitude": -750000000}, "hi": {"latitude": 420000000, "longitude": -730000000}}"#;
        page.fill(&editor(), rectangle).await?;
        page.click(&send()).await?;
        received(&page, 10).await?;
        has_ended_well(&page).await
    })
    .await
}

#[tokio::test]
async fn a_route_is_streamed_from_the_page() -> Result {
    scenario(async |world| {
        let guide = Guide::start().await?;
        let page = guide.explore(world, "RecordRoute").await?;
        page.fill(&editor(), PLACE).await?;
        page.click(&beginning("button", "Start and send")).await?;
        page.fill(&editor(), r#"{"latitude": 409146138, "longitude": -746188907}"#).await?;
        page.click(&beginning("button", "Send message")).await?;
        page.click(&part("button", N.finish)).await?;
        page.contains_text(&response(), "\"pointCount\": 2").await?;
        // Of both points one is a feature.
        page.contains_text(&response(), "\"featureCount\": 1").await?;
        has_ended_well(&page).await
    })
    .await
}

#[tokio::test]
async fn notes_are_streamed_both_ways() -> Result {
    scenario(async |world| {
        let guide = Guide::start().await?;
        let page = guide.explore(world, "RouteChat").await?;
        for (text, notes) in [("first", 1), ("second", 3)] {
            page.fill(&editor(), &format!(r#"{{"location": {PLACE}, "message": "{text}"}}"#)).await?;
            page.click(&beginning("button", if notes == 1 { "Start and send" } else { "Send message" }))
                .await?;
            // All notes of the place come each time.
            received(&page, notes).await?;
        }
        page.click(&part("button", N.finish)).await?;
        has_ended_well(&page).await
    })
    .await
}
