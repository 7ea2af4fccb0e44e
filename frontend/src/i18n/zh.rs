//! The page in Chinese.

use super::Messages;

pub(super) static MESSAGES: Messages = Messages {
    // Frame
    product: "Chinwag",
    skip_to_content: "跳到正文",
    pages: "页面",
    chat: "聊天",
    greeter: "问候",
    settings: "设置",
    menu: "菜单",
    language: "语言",
    theme: "外观",
    theme_light: "浅色",
    theme_dark: "深色",
    theme_system: "跟随系统",
    signed_in_as: "已登录：{name}",
    sign_out: "退出登录",
    sign_out_failed: "连不上服务器，你仍处于登录状态。请重试。",
    keys_help: "键盘快捷键",
    keys_intro: "以下按键在整个页面都有效。",
    key_room: "跳转到房间",
    key_calls: "显示或隐藏调用面板",
    key_help: "列出快捷键",
    key_escape: "关闭浮层",
    key_send: "发送消息",
    key_newline: "换行",
    close: "关闭",
    not_found_title: "这里什么也没有",
    not_found_text: "这个地址没有对应的页面，可能是输错了，也可能不完整。",
    to_chat: "去聊天",

    // Chat: the names that hold
    join: "加入",
    your_name: "你的名字",
    rooms: "房间",
    room_unread: "{room}，{count} 条未读",
    new_room: "新建房间",
    room_name: "房间名称",
    create: "创建",
    waiting: "等待发送",
    not_sent: "未发送",
    message: "消息",
    send: "发送",
    jump_to_latest: "跳到最新",

    // Greeter
    name: "名字",
    say_hello: "打招呼",
    start: "开始",
    cancel: "取消",
    greetings: "问候",

    // Calls
    calls: "调用",
    // Chat: everything else
};
