//! Accessible names of the page's parts, in its two languages. The page's catalogue is `frontend/src/i18n`.

/// The names by which scenarios find parts.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    /// The form of the first visit, and its button.
    pub join: &'static str,
    /// The field of that form.
    pub your_name: &'static str,
    /// The list of rooms.
    pub rooms: &'static str,
    /// The button that makes a room.
    pub new_room: &'static str,
    /// The field of that dialog.
    pub room_name: &'static str,
    /// The button of that dialog.
    pub create: &'static str,
    /// An own message that is not stored yet.
    pub waiting: &'static str,
    /// An own message that was refused.
    pub not_sent: &'static str,
    /// The composer.
    pub message: &'static str,
    /// Its button.
    pub send: &'static str,
    /// The button to the newest message.
    pub latest: &'static str,
    /// The Greeter's field.
    pub name: &'static str,
    /// The button of the Greeter's unary call.
    pub say_hello: &'static str,
    /// The button of the Greeter's stream.
    pub start: &'static str,
    /// The button that cancels it.
    pub cancel: &'static str,
    /// Its results.
    pub greetings: &'static str,
    /// The button that sends one name of a stream.
    pub send_name: &'static str,
    /// The button that ends the stream of names.
    pub finish: &'static str,
    /// The messages of a call in both directions.
    pub exchange: &'static str,
    /// The field for a deadline.
    pub deadline: &'static str,
    /// The field for how many greetings.
    pub count: &'static str,
    /// The field for the time between them.
    pub interval: &'static str,
    /// The button and the region of the calls.
    pub calls: &'static str,
    /// The button of the user's menu. A signed-in user's name follows this beginning.
    pub menu: &'static str,
    /// The light colours.
    pub light: &'static str,
    /// The dark colours.
    pub dark: &'static str,
    /// The link to the chat.
    pub chat: &'static str,
    /// The link to the Greeter.
    pub greeter: &'static str,
    /// The link to the settings.
    pub settings: &'static str,
    /// The button that sends a refused message again.
    pub try_again: &'static str,
    /// The button that drops a refused message.
    pub discard: &'static str,
    /// The button that leads a narrow page to the rooms.
    pub back: &'static str,
    /// The button that puts the recovery code away after joining.
    pub done: &'static str,
}

impl Names {
    /// The name of a room's link.
    pub fn room(&self, room: &str, unread: u32) -> String {
        match (unread, self == &CHINESE) {
            (0, _) => room.to_owned(),
            (unread, false) => format!("{room}, {unread} unread"),
            (unread, true) => format!("{room}，{unread} 条未读"),
        }
    }
}

/// In English.
pub static ENGLISH: Names = Names {
    join: "Join",
    your_name: "Your name",
    rooms: "Rooms",
    new_room: "New room",
    room_name: "Room name",
    create: "Create",
    waiting: "Waiting",
    not_sent: "Not sent",
    message: "Message",
    send: "Send",
    latest: "Jump to latest",
    name: "Name",
    say_hello: "Say hello",
    start: "Start",
    cancel: "Cancel",
    send_name: "Send name",
    finish: "Finish",
    exchange: "Messages in both directions",
    greetings: "Greetings",
    deadline: "Deadline (ms)",
    count: "Count",
    interval: "Interval (ms)",
    calls: "Calls",
    menu: "Menu",
    light: "Light",
    dark: "Dark",
    chat: "Chat",
    greeter: "Greeter",
    settings: "Settings",
    try_again: "Try again",
    discard: "Discard",
    back: "Back to rooms",
    done: "Done",
};

/// In Chinese.
pub static CHINESE: Names = Names {
    join: "加入",
    your_name: "你的名字",
    rooms: "房间",
    new_room: "新建房间",
    room_name: "房间名称",
    create: "创建",
    waiting: "等待发送",
    not_sent: "未发送",
    message: "消息",
    send: "发送",
    latest: "跳到最新",
    name: "名字",
    say_hello: "打招呼",
    start: "开始",
    cancel: "取消",
    send_name: "发送名字",
    finish: "完成",
    exchange: "双向消息",
    greetings: "问候",
    deadline: "超时（毫秒）",
    count: "条数",
    interval: "间隔（毫秒）",
    calls: "调用",
    menu: "菜单",
    light: "浅色",
    dark: "深色",
    chat: "聊天",
    greeter: "Greeter 示例",
    settings: "设置",
    try_again: "重试",
    discard: "放弃",
    back: "返回房间列表",
    done: "完成",
};
