//! The page in English.

use super::Messages;

pub(super) static MESSAGES: Messages = Messages {
    // Frame
    product: "Chinwag",
    skip_to_content: "Skip to content",
    pages: "Pages",
    chat: "Chat",
    greeter: "Greeter",
    settings: "Settings",
    menu: "Menu",
    language: "Language",
    theme: "Theme",
    theme_light: "Light",
    theme_dark: "Dark",
    theme_system: "System",
    signed_in_as: "Signed in as {name}",
    sign_out: "Sign out",
    sign_out_failed: "The server could not be reached, so you are still signed in. Try again.",
    keys_help: "Keyboard",
    keys_intro: "Keys that work everywhere on the page.",
    key_room: "Jump to a room",
    key_calls: "Show or hide the calls",
    key_help: "List the keys",
    key_escape: "Close what floats",
    key_send: "Send the message",
    key_newline: "Start a new line",
    close: "Close",
    not_found_title: "Nothing here",
    not_found_text: "This address leads to no page. It may have been mistyped or cut short.",
    to_chat: "Go to the chat",

    // Chat: the names that hold
    join: "Join",
    your_name: "Your name",
    rooms: "Rooms",
    room_unread: "{room}, {count} unread",
    new_room: "New room",
    room_name: "Room name",
    create: "Create",
    waiting: "Waiting",
    not_sent: "Not sent",
    message: "Message",
    send: "Send",
    jump_to_latest: "Jump to latest",

    // Greeter
    name: "Name",
    say_hello: "Say hello",
    start: "Start",
    cancel: "Cancel",
    greetings: "Greetings",

    // Calls
    calls: "Calls",
    // Chat: everything else
};
