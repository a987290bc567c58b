// The server's API, and its key.

const dialog = document.getElementById("key-dialog");

export async function call(path, options = {}) {
  const key = sessionStorage.getItem("key");
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  const response = await fetch(path, { ...options, headers });
  if (response.status === 401 && await askForKey()) return call(path, options);
  if (!response.ok) throw new Error(await message(response));
  return response;
}

export const json = async (path, options) => (await call(path, options)).json();

async function message(response) {
  try {
    const told = (await response.json()).error.message, wait = response.headers.get("Retry-After");
    return response.status === 429 && wait ? `${told} (${wait} s)` : told;
  } catch {
    return `The server answered with status ${response.status}.`;
  }
}

function askForKey() {
  sessionStorage.removeItem("key");
  return new Promise(resolve => {
    dialog.addEventListener("close", () => {
      const key = document.getElementById("key").value.trim();
      if (dialog.returnValue !== "cancel" && key) sessionStorage.setItem("key", key);
      resolve(sessionStorage.getItem("key") !== null);
    }, { once: true });
    dialog.addEventListener("cancel", () => document.getElementById("key").value = "", { once: true });
    if (!dialog.open) dialog.showModal();
  });
}
