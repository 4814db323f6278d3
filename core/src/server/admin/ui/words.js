// What the page says, in two languages.

const en = {
  streams: "Streams", players: "Players", incoming: "In", outgoing: "Out", memory: "Memory", uptime: "Up", connections: "connections",
  of: "of", version: "Version", workers: "Workers", waiting: "waiting",
  live: "Live", silent: "Silent", vacant: "Waiting for a publisher",
  noStream: "No stream yet",
  noStreamHint: "Publish one, and it appears here within two seconds. Any app and name will do.",
  server: "Server", streamKey: "Stream key", copy: "Copy", copied: "Copied",
  back: "All streams", gone: "Nobody publishes or plays this stream now.",
  bitrate: "Bitrate", frameRate: "Frame rate", lag: "Largest lag",
  picture: "Picture", sound: "Sound", publisher: "Publisher", gop: "GOP", lastKeyframe: "Last keyframe", lastFrame: "Last frame",
  declared: "declared", repairs: "Repaired", anomalies: "Anomalies", missed: "Missed by players", takeovers: "Takeovers",
  none: "none", pictures: "pictures", ago: "ago", since: "for",
  address: "Address", protocol: "Protocol", agent: "Program", age: "Here for", sent: "Rate", lagColumn: "Lag", drops: "Missed",
  noPlayers: "No players.",
  find: "Find a stream by its name", notFound: "No stream has this in its name.",
  pages: "Pages", previous: "Previous", next: "Next",
  bans: "Kept away", stream: "Stream", who: "Who", everybody: "everybody", left: "For", givenBy: "By", lift: "Let back in",
  program: "the server's program",
  kick: "End", kickPublisher: "End this stream", kickAsk: "End this connection?",
  kickStreamAsk: "End this stream, for its publisher and all players?",
  keepAway: "and keep everybody away for", keepAddressAway: "and keep its address away from this stream for",
  seconds0: "not at all", minute: "a minute", hour: "an hour", day: "a day", cancel: "Cancel",
  explain: "Why is it black?", explainPlayer: "Why?",
  publish: "How to publish", play: "How to play", watch: "Watch here", stop: "Stop", unmute: "Sound on", mute: "Sound off",
  fullscreen: "Full screen",
  delay: "Buffer", dropped: "Dropped", resolution: "Picture", connecting: "Connecting ...",
  noMediaSource: "This browser cannot play live streams in a page.",
  noHttp: "The server listens for no HTTP players.",
  unsupported: "This browser cannot decode", notThere: "There is no such stream now.", refused: "The server refuses to play it to this address.",
  testPicture: "Test picture", ended: "The stream has ended.",
  failed: "The stream could not be loaded.",
  tokenAsk: "This server asks operators for a token.", token: "Token", enter: "Enter", tokenWrong: "The token is wrong.",
  unreachable: "The server does not answer. Trying again ...", missing: "These workers do not answer:",
  language: "中文",
};

const zh = {
  streams: "流", players: "观众", incoming: "接收", outgoing: "发送", memory: "内存", uptime: "已运行", connections: "个连接",
  of: "/", version: "版本", workers: "工作线程", waiting: "等待中",
  live: "直播中", silent: "无数据", vacant: "等待推流",
  noStream: "还没有流",
  noStreamHint: "推一路流，两秒内就会出现在这里。应用名和流名可以任意取。",
  server: "服务器", streamKey: "串流密钥", copy: "复制", copied: "已复制",
  back: "全部流", gone: "现在没有人推送或播放这路流。",
  bitrate: "码率", frameRate: "帧率", lag: "最大落后",
  picture: "视频", sound: "音频", publisher: "推流端", gop: "GOP", lastKeyframe: "最近关键帧", lastFrame: "最近一帧",
  declared: "声明", repairs: "已修复", anomalies: "异常", missed: "观众丢帧", takeovers: "接管次数",
  none: "无", pictures: "帧", ago: "前", since: "已",
  address: "地址", protocol: "协议", agent: "程序", age: "时长", sent: "速率", lagColumn: "落后", drops: "丢帧",
  noPlayers: "没有观众。",
  find: "按名称查找流", notFound: "没有名称包含此内容的流。",
  pages: "分页", previous: "上一页", next: "下一页",
  bans: "已禁止", stream: "流", who: "对象", everybody: "所有人", left: "剩余", givenBy: "操作者", lift: "解除禁止",
  program: "服务器程序",
  kick: "断开", kickPublisher: "结束这路流", kickAsk: "断开这个连接？",
  kickStreamAsk: "结束这路流，断开推流端和所有观众？",
  keepAway: "并禁止所有人重新进入", keepAddressAway: "并禁止该地址重新进入这路流",
  seconds0: "不禁止", minute: "一分钟", hour: "一小时", day: "一天", cancel: "取消",
  explain: "为什么黑屏？", explainPlayer: "原因",
  publish: "如何推流", play: "如何播放", watch: "在此观看", stop: "停止", unmute: "打开声音", mute: "静音",
  fullscreen: "全屏",
  delay: "缓冲", dropped: "丢弃", resolution: "画面", connecting: "连接中……",
  noMediaSource: "这个浏览器无法在网页中播放直播流。",
  noHttp: "服务器没有监听 HTTP 播放端口。",
  unsupported: "这个浏览器无法解码", notThere: "现在没有这路流。", refused: "服务器拒绝向此地址播放。",
  testPicture: "测试画面", ended: "直播已结束。",
  failed: "无法加载这路流。",
  tokenAsk: "该服务器需要操作员令牌。", token: "令牌", enter: "进入", tokenWrong: "令牌不正确。",
  unreachable: "服务器没有响应，正在重试……", missing: "以下工作线程没有响应：",
  language: "English",
};

const KEY = "headwater-language";
const languages = { en, zh };
let language = localStorage.getItem(KEY) ?? (navigator.language.startsWith("zh") ? "zh" : "en");
if (!languages[language]) language = "en";
document.documentElement.lang = language;

/** The text with this name. */
export const t = (name) => languages[language][name] ?? en[name];

/** Takes the other language, and begins anew. */
export function switchLanguage() {
  localStorage.setItem(KEY, language === "en" ? "zh" : "en");
  location.reload();
}
