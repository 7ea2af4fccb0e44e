//! The places of the page. All rooms are one place, which stays in the document when the room changes.

use crate::route::Route;

/// A place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Chat,
    Greeter,
    Explorer,
    Settings,
    NotFound,
}

impl Place {
    /// The place of a route.
    pub(super) fn of(route: &Route) -> Place {
        match route {
            Route::Home | Route::Rooms | Route::Room { .. } => Place::Chat,
            Route::Greeter => Place::Greeter,
            Route::Explorer { .. } => Place::Explorer,
            Route::Settings => Place::Settings,
            Route::NotFound => Place::NotFound,
        }
    }
}
