// What somebody sees of their conversations.
export const LIST = "list";
export const NEW = "new";

export const state = {
  view: LIST, // or a conversation
  loaded: false,
  conversations: [], // the newest first
  older: null, // where the next page of them begins
  messages: [], // of the conversation that is seen
  files: [], // that wait to be sent
};

export const isThread = (view) => view !== LIST && view !== NEW;

export function empty() {
  Object.assign(state, { view: LIST, loaded: false, conversations: [], older: null, messages: [], files: [] });
}
